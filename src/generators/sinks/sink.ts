import { UsageError } from '../../errors.js'
import { nearest } from '../../suggest.js'
import { csvHeader, csvWriter, type RowsWriter } from './csv.js'
import { ndjsonWriter } from './ndjson.js'
import { RowReader } from './row-reader.js'
import { TextBuffer } from './text-buffer.js'
import { readTypes, type SinkColumn } from './value-type.js'

/** Turns chunks of whole binary COPY rows of one table into the bytes of a file. */
export interface Encoder {
  /** The bytes of these rows, and of earlier ones that were waiting for them; may be empty. */
  encode(chunk: Buffer): Buffer
  /** What is still to come behind the last row. */
  end(): Buffer
  readonly rows: number
}

/** A form that generated rows can take without a database. */
export interface SinkFormat {
  readonly name: string
  readonly summary: string
  /** Of the files, undefined when none are written. */
  readonly extension: string | undefined
  /** @throws UsageError when a column has a type that the form cannot take. */
  encoder(table: string, columns: readonly SinkColumn[]): Promise<Encoder>
}

export const sinkFormats: readonly SinkFormat[] = [
  {
    name: 'null',
    summary: 'nothing is kept: how fast rows are generated',
    extension: undefined,
    encoder: async (_, columns) => countingEncoder(columns),
  },
  {
    name: 'csv',
    summary: 'as COPY … (format csv, header) reads and writes it',
    extension: 'csv',
    encoder: async (table, columns) => textEncoder(columns, csvWriter(readTypes(table, columns)), csvHeader),
  },
  {
    name: 'ndjson',
    summary: 'one JSON object a line',
    extension: 'ndjson',
    encoder: async (table, columns) => textEncoder(columns, ndjsonWriter(columns, readTypes(table, columns))),
  },
  {
    name: 'parquet',
    summary: 'columns for DuckDB, Spark, pandas and their like',
    extension: 'parquet',
    encoder: parquetEncoder,
  },
]

/** @throws UsageError naming the sink that was most likely meant. */
export function sinkFormat(name: string): SinkFormat {
  const format = sinkFormats.find((candidate) => candidate.name === name)
  if (format) return format
  const names = sinkFormats.map((candidate) => candidate.name)
  const guess = nearest(name, names)
  throw new UsageError(
    `unknown sink ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_sink',
      hint: `Choose one of ${names.join(', ')} with --sink.`,
      details: { sink: name, sinks: names },
    },
  )
}

const nothing = Buffer.alloc(0)

function countingEncoder(columns: readonly SinkColumn[]): Encoder {
  const reader = new RowReader(columns.length)
  let rows = 0
  return {
    encode(chunk) {
      reader.open(chunk)
      while (reader.read()) rows++
      return nothing
    },
    end: () => nothing,
    get rows() {
      return rows
    },
  }
}

function textEncoder(
  columns: readonly SinkColumn[],
  write: RowsWriter,
  header: (columns: readonly SinkColumn[], target: TextBuffer) => void = () => undefined,
): Encoder {
  const reader = new RowReader(columns.length)
  const target = new TextBuffer()
  let rows = 0
  const taken = () => {
    const bytes = Buffer.from(target.content)
    target.clear()
    return bytes
  }
  header(columns, target)
  return {
    encode(chunk) {
      reader.open(chunk)
      rows += write(reader, target)
      return taken()
    },
    end: taken,
    get rows() {
      return rows
    },
  }
}

async function parquetEncoder(table: string, columns: readonly SinkColumn[]): Promise<Encoder> {
  const types = readTypes(table, columns)
  const { ParquetRows } = await import('./parquet.js')
  const file = new ParquetRows(columns, types)
  const reader = new RowReader(columns.length)
  let rows = 0
  return {
    encode(chunk) {
      reader.open(chunk)
      rows += file.write(reader)
      return file.take()
    },
    end() {
      file.finish()
      return file.take()
    },
    get rows() {
      return rows
    },
  }
}
