import type { SchemaElement } from 'hyparquet'
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer'
import { UsageError } from '../../errors.js'
import { obsVersion } from '../../package.js'
import type { RowReader } from './row-reader.js'
import { TextBuffer } from './text-buffer.js'
import { dimensions, eachElement, epochDays, textWriter } from './text-form.js'
import type { Kind, SinkColumn, ValueType } from './value-type.js'

/** Rows of one row group: few enough to keep memory flat, enough for dictionaries to pay. */
const groupRows = 20_000

/**
 * Writes rows as a Parquet file, a row group at a time, and gives away its bytes as they
 * come; no more than one group is ever held.
 */
export class ParquetRows {
  readonly #writer: ParquetWriter
  readonly #bytes: CollectedBytes
  readonly #columns: readonly { readonly name: string; readonly read: ValueReader; values: unknown[] }[]
  #rows = 0

  constructor(columns: readonly SinkColumn[], types: readonly ValueType[]) {
    this.#bytes = new CollectedBytes(1024 * 1024)
    this.#columns = columns.map(({ name }, index) => ({
      name,
      read: valueReader(name, types[index] as ValueType),
      values: [],
    }))
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: schemaOf(columns, types),
      createdBy: `obs version ${obsVersion()}`,
    })
  }

  /** Takes the rows of a chunk and returns their number. */
  write(rows: RowReader): number {
    let count = 0
    while (rows.read()) {
      for (const [index, column] of this.#columns.entries()) {
        const length = rows.length(index)
        column.values.push(length < 0 ? null : column.read(rows.bytes, rows.start(index), length))
      }
      count++
      if (++this.#rows === groupRows) this.#closeGroup()
    }
    return count
  }

  /** Writes what is left, and the index of the file. */
  finish(): void {
    this.#closeGroup()
    void this.#writer.finish()
  }

  /** The bytes that are ready, which the caller then has to itself. */
  take(): Buffer {
    return this.#bytes.take()
  }

  #closeGroup(): void {
    if (this.#rows === 0) return
    // Promises come from writers that flush, and this one does not.
    void this.#writer.write({
      columnData: this.#columns.map(({ name, values }) => ({ name, data: values as ColumnSource['data'] })),
      rowGroupSize: groupRows,
    })
    for (const column of this.#columns) column.values = []
    this.#rows = 0
  }
}

class CollectedBytes extends ByteWriter {
  take(): Buffer {
    const taken = Buffer.from(this.buffer.slice(0, this.index))
    this.index = 0
    return taken
  }
}

type ValueReader = (source: Buffer, start: number, length: number) => unknown

/** The form of each kind in Parquet: https://parquet.apache.org/docs/file-format/types/logicaltypes/ */
function elementOf({ kind, precision, scale }: ValueType): Partial<SchemaElement> {
  if (kind === 'numeric' && precision !== undefined) return decimalOf(precision, scale ?? 0)
  return elements[kind]
}

const elements: Readonly<Record<Kind, Partial<SchemaElement>>> = {
  bool: { type: 'BOOLEAN' },
  int2: { type: 'INT32' },
  int4: { type: 'INT32' },
  int8: { type: 'INT64' },
  float4: { type: 'FLOAT' },
  float8: { type: 'DOUBLE' },
  // Without a precision of its own a numeric has no Parquet type that holds it exactly.
  numeric: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  bytea: { type: 'BYTE_ARRAY' },
  uuid: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
  // The logical type alone: given the older one as well, the writer would parse every value and print it anew.
  json: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'JSON' } },
  jsonb: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'JSON' } },
  date: { type: 'INT32', converted_type: 'DATE' },
  time: { type: 'INT64', logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' } },
  timestamp: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } },
  timestamptz: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } },
}

function decimalOf(precision: number, scale: number): Partial<SchemaElement> {
  const decimal = { converted_type: 'DECIMAL', precision, scale } as const
  if (precision <= 18) return { type: 'INT64', ...decimal }
  return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, ...decimal }
}

function schemaOf(columns: readonly SinkColumn[], types: readonly ValueType[]): SchemaElement[] {
  const fields = columns.flatMap(({ name }, index): SchemaElement[] => {
    const type = types[index] as ValueType
    const element = { ...elementOf(type), repetition_type: 'OPTIONAL' as const }
    if (!type.isArray) return [{ name, ...element }]
    return [
      { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', ...element },
    ]
  })
  return [{ name: 'schema', num_children: columns.length }, ...fields]
}

function valueReader(column: string, type: ValueType): ValueReader {
  const read = scalarReader(type)
  if (!type.isArray) return read
  return (source, start) => {
    if (dimensions(source, start).length > 1) throw tooManyDimensions(column)
    const values: unknown[] = []
    eachElement(source, start, (at, length) => values.push(length < 0 ? null : read(source, at, length)))
    return values
  }
}

function scalarReader({ kind, precision, scale }: ValueType): ValueReader {
  if (kind === 'numeric') return precision === undefined ? textReader('numeric') : decimalReader(scale ?? 0)
  return scalarReaders[kind]
}

/** Microseconds from 1970 to 2000. */
const epochMicros = BigInt(epochDays) * 86_400_000_000n

const scalarReaders: Readonly<Record<Exclude<Kind, 'numeric'>, ValueReader>> = {
  bool: (source, start) => source[start] === 1,
  int2: (source, start) => source.readInt16BE(start),
  int4: (source, start) => source.readInt32BE(start),
  int8: (source, start) => source.readBigInt64BE(start),
  float4: (source, start) => source.readFloatBE(start),
  float8: (source, start) => source.readDoubleBE(start),
  text: (source, start, length) => source.toString('utf8', start, start + length),
  bytea: copied,
  uuid: copied,
  json: copied,
  jsonb: (source, start, length) => copied(source, start + 1, length - 1),
  date: (source, start) => source.readInt32BE(start) + epochDays,
  time: (source, start) => source.readBigInt64BE(start),
  timestamp: readMicros,
  timestamptz: readMicros,
}

/** The chunk is written over before its row group is complete. */
function copied(source: Buffer, start: number, length: number): Uint8Array {
  return Uint8Array.from(source.subarray(start, start + length))
}

const endless = { infinity: 2n ** 63n - 1n, minusInfinity: -(2n ** 63n) }

/** Infinity stays the greatest of all times. */
function readMicros(source: Buffer, start: number): bigint {
  const value = source.readBigInt64BE(start)
  return value === endless.infinity || value === endless.minusInfinity ? value : value + epochMicros
}

function textReader(kind: Kind): ValueReader {
  const write = textWriter({ kind, isArray: false })
  const scratch = new TextBuffer(256)
  return (source, start, length) => {
    scratch.clear()
    write(source, start, length, scratch)
    return scratch.content.toString('latin1')
  }
}

/** The digits without their point, for `scale` decimals; NaN, which a DECIMAL has not, is null. */
function decimalReader(scale: number): ValueReader {
  const read = textReader('numeric')
  return (source, start, length) => {
    const text = String(read(source, start, length))
    if (!/^-?[\d.]+$/.test(text)) return null
    const [whole = '0', decimals = ''] = text.split('.')
    return BigInt(`${whole}${decimals.padEnd(scale, '0').slice(0, scale)}`)
  }
}

function tooManyDimensions(column: string): UsageError {
  return new UsageError(`${column} holds an array of more than one dimension, which the parquet sink does not write`, {
    code: 'array_dimensions',
    hint: 'Choose --sink ndjson or csv.',
    details: { column },
  })
}
