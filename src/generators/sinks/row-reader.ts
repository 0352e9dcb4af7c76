/**
 * Walks rows of binary COPY, one after the other, without an object per row.
 *
 * A row is a 16-bit count of fields and, for each, a 32-bit length (-1 for NULL) and as
 * many bytes: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
 */
export class RowReader {
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  #bytes: Buffer = Buffer.alloc(0)
  #next = 0
  #row = 0

  constructor(readonly columns: number) {
    this.#starts = new Int32Array(columns)
    this.#lengths = new Int32Array(columns)
  }

  /** Turns to a chunk, which holds whole rows and nothing else. */
  open(chunk: Buffer): void {
    this.#bytes = chunk
    this.#next = 0
  }

  /**
   * Moves to the next row, false behind the last.
   *
   * @throws RangeError when the bytes are no rows of as many columns.
   */
  read(): boolean {
    const bytes = this.#bytes
    if (this.#next >= bytes.length) return false
    let at = this.#next
    this.#row = at
    const count = bytes.readInt16BE(at)
    if (count !== this.columns) throw new RangeError(`a row has ${count} fields where ${this.columns} are expected`)
    at += 2
    for (let column = 0; column < count; column++) {
      const length = bytes.readInt32BE(at)
      at += 4
      this.#starts[column] = at
      this.#lengths[column] = length
      if (length > 0) at += length
    }
    if (at > bytes.length) throw new RangeError('a row ends beyond its chunk')
    this.#next = at
    return true
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  /** Where the current row begins and ends, the count of its fields included. */
  get rowStart(): number {
    return this.#row
  }

  get rowEnd(): number {
    return this.#next
  }

  /** Where the value of a column begins. */
  start(column: number): number {
    return this.#starts[column] ?? 0
  }

  /** Bytes of the value of a column, -1 when it is NULL. */
  length(column: number): number {
    return this.#lengths[column] ?? -1
  }

  isNull(column: number): boolean {
    return this.length(column) < 0
  }

  /** The bytes of a value; they are the chunk's own and change with it. */
  value(column: number): Buffer {
    return this.#bytes.subarray(this.start(column), this.start(column) + Math.max(0, this.length(column)))
  }
}
