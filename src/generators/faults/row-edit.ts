import { CopyBuffer } from '../copy-binary.js'
import type { Column } from '../pack.js'
import { RowReader } from '../sinks/row-reader.js'
import { TextBuffer } from '../sinks/text-buffer.js'
import { epochDays, textWriter } from '../sinks/text-form.js'

/** Microseconds from 1970 to 2000. */
const epochMicros = epochDays * 86_400_000_000

/** One encoded row that can be read, changed, repeated or left out; the same instance is used for all of them. */
export class RowEdit {
  readonly reader: RowReader
  readonly #columns: ReadonlyMap<string, number>
  readonly #changed = new Map<number, Buffer>()
  readonly #field = new CopyBuffer(4096)
  readonly #digits = new TextBuffer(64)
  /** How often the row is written: 0 leaves it out, 2 writes it once as it was and once changed. */
  copies: 0 | 1 | 2 = 1

  constructor(columns: readonly Column[]) {
    this.reader = new RowReader(columns.length)
    this.#columns = new Map(columns.map(({ name }, index) => [name, index]))
  }

  /** Forgets the changes of the row before. */
  reset(): void {
    this.#changed.clear()
    this.copies = 1
  }

  has(column: string): boolean {
    return this.#columns.has(column)
  }

  isNull(column: string): boolean {
    return this.reader.isNull(this.#place(column))
  }

  /** A text, or anything else whose bytes are text. */
  text(column: string): string {
    return this.reader.value(this.#place(column)).toString()
  }

  /** A uuid as it is written. */
  uuid(column: string): string {
    return this.#written(column, 'uuid')
  }

  /** An int4. */
  integer(column: string): number {
    return this.reader.bytes.readInt32BE(this.reader.start(this.#place(column)))
  }

  boolean(column: string): boolean {
    return this.reader.bytes[this.reader.start(this.#place(column))] === 1
  }

  /** A numeric times 10^`scale`, as a whole number. */
  scaled(column: string, scale: number): number {
    return Math.round(Number(this.#written(column, 'numeric')) * 10 ** scale)
  }

  /** A timestamptz in microseconds since 1970. */
  micros(column: string): number {
    return Number(this.reader.bytes.readBigInt64BE(this.reader.start(this.#place(column)))) + epochMicros
  }

  /** A number that the bytes of a value have and few others share: FNV-1a, 32 bits. */
  hash(column: string): number {
    const place = this.#place(column)
    const { bytes } = this.reader
    const start = this.reader.start(place)
    const end = start + Math.max(0, this.reader.length(place))
    let hash = 0x811c_9dc5
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x0100_0193)
    return hash >>> 0
  }

  /** Gives a column another value; `write` writes exactly one field. */
  set(column: string, write: (field: CopyBuffer) => void): void {
    this.#field.clear()
    write(this.#field)
    this.#changed.set(this.#place(column), Buffer.from(this.#field.content))
  }

  /** Writes the row as it came. */
  writeOriginal(target: CopyBuffer): void {
    target.row(this.reader.columns).bytes(this.reader.bytes.subarray(this.reader.rowStart + 2, this.reader.rowEnd))
  }

  /** Writes the row with its changes. */
  writeChanged(target: CopyBuffer): void {
    target.row(this.reader.columns)
    for (let column = 0; column < this.reader.columns; column++) {
      const changed = this.#changed.get(column)
      const start = this.reader.start(column)
      target.bytes(changed ?? this.reader.bytes.subarray(start - 4, start + Math.max(0, this.reader.length(column))))
    }
  }

  /** The key of the row as it will be written. */
  written(column: string, type: string): string {
    const changed = this.#changed.get(this.#place(column))
    const bytes = changed ? changed.subarray(4) : this.reader.value(this.#place(column))
    return type === 'uuid' ? this.#format(bytes, 0, bytes.length, 'uuid') : bytes.toString()
  }

  #written(column: string, kind: 'uuid' | 'numeric'): string {
    const place = this.#place(column)
    return this.#format(this.reader.bytes, this.reader.start(place), this.reader.length(place), kind)
  }

  #format(bytes: Buffer, start: number, length: number, kind: 'uuid' | 'numeric'): string {
    this.#digits.clear()
    textWriter({ kind, isArray: false })(bytes, start, length, this.#digits)
    return this.#digits.content.toString()
  }

  #place(column: string): number {
    const place = this.#columns.get(column)
    if (place === undefined) throw new Error(`there is no column ${column}`)
    return place
  }
}
