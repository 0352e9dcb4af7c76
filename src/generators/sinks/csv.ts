import type { RowReader } from './row-reader.js'
import type { TextBuffer } from './text-buffer.js'
import { textWriter } from './text-form.js'
import type { SinkColumn, ValueType } from './value-type.js'

/** Writes the rows of a chunk as another text. */
export type RowsWriter = (rows: RowReader, target: TextBuffer) => number

/** The first line of a CSV file: the names of its columns. */
export function csvHeader(columns: readonly SinkColumn[], target: TextBuffer): void {
  for (const [index, { name }] of columns.entries()) {
    if (index > 0) target.byte(comma)
    const from = target.length
    target.text(name)
    quoteWhereNeeded(target, from)
  }
  target.byte(newline)
}

/**
 * Writes rows as `COPY … TO STDOUT (format csv)` would, to the byte: NULL is nothing,
 * an empty string is a pair of quotes, and a value is quoted only when it has to be.
 */
export function csvWriter(types: readonly ValueType[]): RowsWriter {
  const columns = types.map((type) => ({ write: textWriter(type), isPlain: isPlain(type) }))
  const isAlone = types.length === 1
  return (rows, target) => {
    let count = 0
    while (rows.read()) {
      for (const [index, { write, isPlain }] of columns.entries()) {
        if (index > 0) target.byte(comma)
        const length = rows.length(index)
        if (length < 0) continue
        const from = target.length
        write(rows.bytes, rows.start(index), length, target)
        if (!isPlain) quoteWhereNeeded(target, from, isAlone)
      }
      target.byte(newline)
      count++
    }
    return count
  }
}

/** Whether no value of the type ever needs quotes. */
function isPlain({ kind, isArray }: ValueType): boolean {
  return !isArray && !['text', 'json', 'jsonb', 'bytea'].includes(kind)
}

const comma = 0x2c
const newline = 0x0a
const carriageReturn = 0x0d
const quote = 0x22

function quoteWhereNeeded(target: TextBuffer, from: number, isAlone = false): void {
  const { bytes, length } = target
  let quotes = 0
  let isSafe = length > from && !(isAlone && isEndOfData(target, from))
  for (let at = from; at < length; at++) {
    const byte = bytes[at]
    if (byte === quote) quotes++
    else if (byte === comma || byte === newline || byte === carriageReturn) isSafe = false
  }
  if (isSafe && quotes === 0) return
  target.reserve(quotes + 2)
  // From the back, so that nothing is written over before it was read.
  let to = length + quotes + 1
  target.length = to + 1
  target.bytes[to--] = quote
  for (let at = length - 1; at >= from; at--) {
    const byte = target.bytes[at] as number
    target.bytes[to--] = byte
    if (byte === quote) target.bytes[to--] = quote
  }
  target.bytes[to] = quote
}

/** `\.` alone on a line ends the data for servers before 17. */
function isEndOfData({ bytes, length }: TextBuffer, from: number): boolean {
  return length - from === 2 && bytes[from] === 0x5c && bytes[from + 1] === 0x2e
}
