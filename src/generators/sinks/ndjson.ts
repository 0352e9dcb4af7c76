import type { RowsWriter } from './csv.js'

import { dimensions, eachElement, textWriter, type ValueWriter } from './text-form.js'
import type { Kind, SinkColumn, ValueType } from './value-type.js'

/**
 * Writes rows as JSON objects, one a line, with every column, null included.
 *
 * Numbers are JSON numbers with all their digits (NaN and infinities, which JSON has
 * not, are strings), json and jsonb are nested as they are, arrays are arrays, and
 * times are in the form of ISO 8601.
 */
export function ndjsonWriter(columns: readonly SinkColumn[], types: readonly ValueType[]): RowsWriter {
  const fields = columns.map(({ name }, index) => ({
    head: Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`),
    write: jsonWriter(types[index] as ValueType),
  }))
  return (rows, target) => {
    let count = 0
    while (rows.read()) {
      for (const [index, { head, write }] of fields.entries()) {
        target.copy(head, 0, head.length)
        if (rows.isNull(index)) target.ascii('null')
        else write(rows.bytes, rows.start(index), rows.length(index), target)
      }
      target.ascii('}\n')
      count++
    }
    return count
  }
}

/** How the text form of a kind becomes a JSON value. */
const jsonForms: Readonly<Record<Kind, (text: ValueWriter) => ValueWriter>> = {
  bool: () => (source, start, _length, target) => target.ascii(source[start] === 1 ? 'true' : 'false'),
  int2: (text) => text,
  int4: (text) => text,
  int8: (text) => text,
  float4: numberForm,
  float8: numberForm,
  numeric: numberForm,
  text: stringForm,
  bytea: stringForm,
  uuid: quotedForm,
  json: singleLineForm,
  jsonb: singleLineForm,
  date: quotedForm,
  time: quotedForm,
  timestamp: isoForm,
  timestamptz: isoForm,
}

function jsonWriter({ kind, isArray }: ValueType): ValueWriter {
  const write = jsonForms[kind](textWriter({ kind, isArray: false }))
  return isArray ? arrayForm(write) : write
}

const quote = 0x22

function quotedForm(text: ValueWriter): ValueWriter {
  return (source, start, length, target) => {
    target.byte(quote)
    text(source, start, length, target)
    target.byte(quote)
  }
}

/** NaN and infinities begin with a letter. */
function numberForm(text: ValueWriter): ValueWriter {
  return (source, start, length, target) => {
    const from = target.length
    text(source, start, length, target)
    const last = target.bytes[target.length - 1] as number
    if (last <= 0x39) return
    const word = target.bytes.toString('latin1', from, target.length)
    target.length = from
    target.ascii(`"${word}"`)
  }
}

/** `2026-11-10 12:00:00.5+00` as `2026-11-10T12:00:00.5Z`. */
function isoForm(text: ValueWriter): ValueWriter {
  return (source, start, length, target) => {
    target.byte(quote)
    const from = target.length
    text(source, start, length, target)
    const written = target.bytes.toString('latin1', from, target.length)
    target.length = from
    target.ascii(written.replace(' ', 'T').replace('+00', 'Z'))
    target.byte(quote)
  }
}

function stringForm(text: ValueWriter): ValueWriter {
  return (source, start, length, target) => {
    target.byte(quote)
    const from = target.length
    text(source, start, length, target)
    if (hasSpecial(target.bytes, from, target.length)) {
      const raw = target.bytes.toString('utf8', from, target.length)
      target.length = from - 1
      target.text(JSON.stringify(raw))
    } else {
      target.byte(quote)
    }
  }
}

function hasSpecial(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number
    if (byte < 0x20 || byte === quote || byte === 0x5c) return true
  }
  return false
}

/** JSON may hold line breaks between its tokens, never within one: they become spaces. */
function singleLineForm(text: ValueWriter): ValueWriter {
  return (source, start, length, target) => {
    const from = target.length
    text(source, start, length, target)
    for (let at = from; at < target.length; at++) {
      const byte = target.bytes[at]
      if (byte === 0x0a || byte === 0x0d) target.bytes[at] = 0x20
    }
  }
}

function arrayForm(write: ValueWriter): ValueWriter {
  return (source, start, _length, target) => {
    const sizes = dimensions(source, start)
    if (sizes.length === 0) target.ascii('[]')
    const spans = sizes.map((_, depth) => sizes.slice(depth).reduce((product, size) => product * size, 1))
    eachElement(source, start, (at, length, index) => {
      if (index > 0) target.byte(0x2c)
      for (const span of spans) if (index % span === 0) target.byte(0x5b)
      if (length < 0) target.ascii('null')
      else write(source, at, length, target)
      for (const span of spans) if ((index + 1) % span === 0) target.byte(0x5d)
    })
  }
}
