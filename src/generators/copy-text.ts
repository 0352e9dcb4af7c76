/**
 * Escapes a value for the text format of COPY.
 *
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS: a
 * backslash, tab, newline or carriage return is written with a backslash before it,
 * and the marker of NULL is `\N`, which an escaped value can never equal.
 */
function escapeCopyText(value: string): string {
  return value.replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? character)
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** A value as the bytes that stand for it in a COPY stream; null is `\N`. */
export function copyValue(value: string | null): Buffer {
  return Buffer.from(value === null ? '\\N' : escapeCopyText(value))
}

/** Whole rows, tab between the values and newline behind each row. */
export function copyRows(rows: readonly (readonly (string | null)[])[]): Buffer {
  const lines = rows.map(
    (row) => `${row.map((value) => (value === null ? '\\N' : escapeCopyText(value))).join('\t')}\n`,
  )
  return Buffer.from(lines.join(''))
}

/** A JavaScript array as a PostgreSQL array literal, every element quoted. */
export function arrayLiteral(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}

const tab = 0x09
const newline = 0x0a
const zero = 0x30
const hexDigits = Buffer.from('0123456789abcdef')

/** A row longer than this does not fit; rows of generated tables are a hundredth of it. */
const longestRow = 16 * 1024

/**
 * Rows of a COPY stream under construction, in one buffer that is used again and again.
 *
 * Values that rows share are encoded once with `copyValue` and copied in by `bytes`;
 * numbers are written digit by digit. A row costs no allocation.
 */
export class CopyBuffer {
  readonly #buffer: Buffer
  readonly #limit: number
  #length = 0

  constructor(size = 128 * 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(size)
    this.#limit = size - longestRow
  }

  /** True when the next row might not fit and what is there should be taken first. */
  get isFull(): boolean {
    return this.#length > this.#limit
  }

  /** What was written since the last `clear`; valid until the next write. */
  get content(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  /** Bytes that `copyValue` made, or a run of values with the tabs between them. */
  bytes(value: Uint8Array): this {
    this.#buffer.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** The end of a value that is not the last. */
  tab(): this {
    this.#buffer[this.#length++] = tab
    return this
  }

  /** The end of a row. */
  newline(): this {
    this.#buffer[this.#length++] = newline
    return this
  }

  /** A whole number from 0 to 2⁵³. */
  integer(value: number): this {
    let width = 1
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) width++
    return this.digits(value, width)
  }

  /** A whole number with leading zeros. */
  digits(value: number, width: number): this {
    let rest = value
    for (let i = this.#length + width - 1; i >= this.#length; i--) {
      const next = Math.floor(rest / 10)
      this.#buffer[i] = zero + (rest - next * 10)
      rest = next
    }
    this.#length += width
    return this
  }

  /** `value` / 10^`scale` in decimal notation, for example `1234567` with scale 6 as `1.234567`. */
  decimal(value: number, scale: number): this {
    const unit = 10 ** scale
    const whole = Math.floor(value / unit)
    this.integer(whole).character('.')
    return this.digits(value - whole * unit, scale)
  }

  /** One ASCII character. */
  character(character: string): this {
    this.#buffer[this.#length++] = character.charCodeAt(0)
    return this
  }

  /** A 32-bit word as two groups of four hexadecimal digits, as UUIDs write it. */
  hexHalves(word: number): this {
    this.#hex(word >>> 16, 12).character('-')
    return this.#hex(word, 12)
  }

  /** A 32-bit word as eight hexadecimal digits. */
  hex(word: number): this {
    return this.#hex(word, 28)
  }

  #hex(word: number, highest: number): this {
    for (let shift = highest; shift >= 0; shift -= 4) {
      this.#buffer[this.#length++] = hexDigits[(word >>> shift) & 15] ?? zero
    }
    return this
  }
}
