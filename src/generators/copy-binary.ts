import { jsonbText } from './jsonb-text.js'

/**
 * What stands before the rows of a binary COPY: signature, flags, length of the extension.
 *
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY
 */
export const copyHeader: Buffer = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')

/** What stands behind them: a field count of -1. */
export const copyTrailer: Buffer = Buffer.from([0xff, 0xff])

/**
 * Free at the beginning of every row and kept free behind every value of variable length:
 * room for the 1,600 columns that a table can have at most, if all of them are numbers.
 */
const slack = 64 * 1024

/** Microseconds from 1970 to 2000, where PostgreSQL counts from, and the days. */
const epochMicros = 946_684_800_000_000
const epochDays = 10_957

/** Object ids of the types that arrays are made of here, from PostgreSQL's pg_type.dat. */
const elementOids = { text: 25, varchar: 1043 } as const

/** Up to so many bytes a loop is quicker than a call into the engine. */
const loopedBytes = 20

const powersOfTen = Float64Array.from({ length: 13 }, (_, exponent) => 10 ** exponent)

/** The two hexadecimal digits of every byte, one after the other. */
const hexPairs = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join(''))

/**
 * Rows of a binary COPY under construction, in one buffer that is used again and again.
 *
 * A row begins with `row`, and one typed write follows for every field of it. Values that
 * rows share are encoded once by `encodeFields` and copied in by `bytes`, lengths
 * included. A row costs no allocation, and every value has the one form in which the
 * server would send it back, so that what landed can be compared byte by byte.
 *
 * The content holds whole rows and neither header nor trailer.
 */
export class CopyBuffer {
  #buffer: Buffer
  readonly #limit: number
  #length = 0
  #start = 0
  #isNumbered = false
  #number = 0

  /** @param size how many bytes may gather before the buffer counts as full. */
  constructor(size = 256 * 1024) {
    this.#limit = size
    this.#buffer = Buffer.allocUnsafeSlow(size + slack)
  }

  /** True when what is there should be taken before the next row. */
  get isFull(): boolean {
    return this.#length >= this.#limit
  }

  /** What was written since the last `clear`; valid until the next write. */
  get content(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  /** From here on every row gets one field more, its first: a bigint that counts up from `first`. */
  numberFrom(first: number): void {
    this.#isNumbered = true
    this.#number = first
  }

  /** Begins a row of so many fields. */
  row(fields: number): this {
    if (this.#length + slack > this.#buffer.length) this.#grow(slack)
    if (!this.#isNumbered) return this.#int16(fields)
    return this.#int16(fields + 1).int8(this.#number++)
  }

  null(): this {
    return this.#int32(-1)
  }

  bool(value: boolean): this {
    this.#int32(1)
    this.#buffer[this.#length++] = value ? 1 : 0
    return this
  }

  int2(value: number): this {
    return this.#int32(2).#int16(value)
  }

  int4(value: number): this {
    return this.#int32(4).#int32(value)
  }

  /** A safe integer. */
  int8(value: number): this {
    return this.#int32(8).#int64(value)
  }

  float4(value: number): this {
    this.#int32(4)
    this.#length = this.#buffer.writeFloatBE(value, this.#length)
    return this
  }

  float8(value: number): this {
    this.#int32(8)
    this.#length = this.#buffer.writeDoubleBE(value, this.#length)
    return this
  }

  /**
   * `scaled` / 10^`scale`, for example 1234567 with scale 6 for 1.234567.
   *
   * In groups of four decimal digits, without groups of zeros at either end, as
   * `numeric_send` gives it (src/backend/utils/adt/numeric.c).
   *
   * @param scaled a safe integer. @param scale 0 to 12: the scale of the column.
   */
  numeric(scaled: number, scale: number): this {
    const unit = powersOfTen[scale] as number
    const size = Math.abs(scaled)
    let whole = Math.floor(size / unit)
    const groupsBehind = (scale + 3) >> 2
    let fraction = (size - whole * unit) * (powersOfTen[groupsBehind * 4 - scale] as number)
    const lengthAt = this.#length
    const head = lengthAt + 12
    let groupsBefore = 0
    for (let rest = whole; rest > 0; rest = Math.floor(rest / 10_000)) groupsBefore++
    this.#length = head
    for (let i = groupsBefore - 1; i >= 0; i--) {
      const next = Math.floor(whole / 10_000)
      this.#patch16(head + i * 2, whole - next * 10_000)
      whole = next
    }
    const behind = head + groupsBefore * 2
    for (let i = groupsBehind - 1; i >= 0; i--) {
      const next = Math.floor(fraction / 10_000)
      this.#patch16(behind + i * 2, fraction - next * 10_000)
      fraction = next
    }
    let groups = groupsBefore + groupsBehind
    while (groups > 0 && this.#isZero16(head + groups * 2 - 2)) groups--
    let leading = 0
    while (leading < groups && this.#isZero16(head + leading * 2)) leading++
    if (leading > 0) this.#buffer.copyWithin(head, head + leading * 2, head + groups * 2)
    groups -= leading
    this.#length = lengthAt
    this.#int32(8 + groups * 2).#int16(groups)
    this.#int16(groups > 0 ? groupsBefore - 1 - leading : 0)
    this.#int16(scaled < 0 ? 0x4000 : 0).#int16(scale)
    this.#length += groups * 2
    return this
  }

  /** Microseconds since 1970; also for `timestamp`, then of no particular zone. */
  timestamptz(micros: number): this {
    return this.#int32(8).#int64(micros - epochMicros)
  }

  /** Days since 1970. */
  date(days: number): this {
    return this.#int32(4).#int32(days - epochDays)
  }

  /** Microseconds since midnight. */
  time(micros: number): this {
    return this.#int32(8).#int64(micros)
  }

  interval(months: number, days: number, micros: number): this {
    return this.#int32(16).#int64(micros).#int32(days).#int32(months)
  }

  /** The 128 bits as four words, the first one first. */
  uuid(a: number, b: number, c: number, d: number): this {
    return this.#int32(16).#int32(a).#int32(b).#int32(c).#int32(d)
  }

  /** A UUID as it is written. */
  uuidText(text: string): this {
    this.#int32(16)
    const written = this.#buffer.write(text.replaceAll('-', ''), this.#length, 16, 'hex')
    if (written !== 16) throw new Error(`not a UUID: ${text}`)
    this.#length += 16
    return this
  }

  /** A text of any kind: `text`, `varchar`, `json`, an enum's label. */
  text(value: string): this {
    return this.open().string(value).close()
  }

  /** Bytes as the value of a field: of a text in UTF-8, or of `bytea`. */
  textBytes(value: Uint8Array): this {
    return this.#int32(value.length).bytes(value)
  }

  /** A JSON value in the form in which PostgreSQL keeps it; see `jsonbText`. */
  jsonb(value: unknown): this {
    return this.openJsonb().string(jsonbText(value)).close()
  }

  /** A one-dimensional array of texts. */
  textArray(values: readonly string[], element: keyof typeof elementOids = 'text'): this {
    this.#begin()
    this.#int32(values.length > 0 ? 1 : 0)
      .#int32(0)
      .#int32(elementOids[element])
    if (values.length > 0) this.#int32(values.length).#int32(1)
    const start = this.#start
    for (const value of values) this.text(value)
    this.#start = start
    return this.close()
  }

  /** Begins a text that is put together from `bytes`, `string`, `digits` and `hex`, up to `close`. */
  open(): this {
    return this.#begin()
  }

  /** The same for `jsonb`; what is put together has to be in the form of `jsonbText`. */
  openJsonb(): this {
    this.#begin()
    this.#buffer[this.#length++] = 1
    return this
  }

  /** Ends what `open` began. */
  close(): this {
    const end = this.#length
    this.#length = this.#start
    this.#int32(end - this.#start - 4)
    this.#length = end
    return this
  }

  /** Fields that `encodeFields` made, or a part of an open text. */
  bytes(value: Uint8Array): this {
    const { length } = value
    if (this.#length + length + slack > this.#buffer.length) this.#grow(length + slack)
    if (length > loopedBytes) {
      this.#buffer.set(value, this.#length)
      this.#length += length
      return this
    }
    const buffer = this.#buffer
    const at = this.#length
    for (let i = 0; i < length; i++) buffer[at + i] = value[i] as number
    this.#length = at + length
    return this
  }

  /** A part of an open text. */
  string(value: string): this {
    const most = value.length * 3
    if (this.#length + most + slack > this.#buffer.length) this.#grow(most + slack)
    this.#length += this.#buffer.write(value, this.#length)
    return this
  }

  /** A whole number from 0 to 2⁵³ in decimal digits, as a part of an open text. */
  digits(value: number): this {
    let width = 1
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) width++
    this.digitsAt(this.#length, value, width)
    this.#length += width
    return this
  }

  /** Where the next byte goes, counted from the beginning of the content. */
  get position(): number {
    return this.#length
  }

  /** Overwrites what was written at `position` with the last `width` digits of a whole number, leading zeros included. */
  digitsAt(position: number, value: number, width: number): this {
    const buffer = this.#buffer
    let i = position + width - 1
    let rest = value
    for (; rest > 0x7fff_ffff && i >= position; i--) {
      const next = Math.floor(rest / 10)
      buffer[i] = 0x30 + (rest - next * 10)
      rest = next
    }
    // What fits into 32 bits is divided as a whole number, in a fifth of the time.
    for (let small = rest | 0; i >= position; i--) {
      const next = (small / 10) | 0
      buffer[i] = 0x30 + (small - next * 10)
      small = next
    }
    return this
  }

  /** A 32-bit word as eight hexadecimal digits, as a part of an open text. */
  hex(word: number): this {
    this.hexAt(this.#length, word)
    this.#length += 8
    return this
  }

  /** Overwrites what was written at `position` with the eight hexadecimal digits of a 32-bit word. */
  hexAt(position: number, word: number): this {
    const buffer = this.#buffer
    for (let i = 0; i < 4; i++) {
      const pair = ((word >>> (24 - i * 8)) & 255) * 2
      buffer[position + i * 2] = hexPairs[pair] as number
      buffer[position + i * 2 + 1] = hexPairs[pair + 1] as number
    }
    return this
  }

  /** Overwrites the value of an `int4` that was written, which is at `position`. */
  int4At(position: number, value: number): this {
    this.#patch32(position, value)
    return this
  }

  /** Overwrites the value of a `timestamptz` that was written, which is at `position`. */
  timestamptzAt(position: number, micros: number): this {
    const value = micros - epochMicros
    const high = Math.floor(value / 0x1_0000_0000)
    this.#patch32(position, high)
    this.#patch32(position + 4, value - high * 0x1_0000_0000)
    return this
  }

  #begin(): this {
    this.#start = this.#length
    this.#length += 4
    return this
  }

  #int16(value: number): this {
    this.#patch16(this.#length, value)
    this.#length += 2
    return this
  }

  #int32(value: number): this {
    this.#patch32(this.#length, value)
    this.#length += 4
    return this
  }

  #int64(value: number): this {
    const high = Math.floor(value / 0x1_0000_0000)
    return this.#int32(high).#int32(value - high * 0x1_0000_0000)
  }

  #patch16(at: number, value: number): void {
    this.#buffer[at] = value >>> 8
    this.#buffer[at + 1] = value
  }

  #patch32(at: number, value: number): void {
    const buffer = this.#buffer
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
  }

  #isZero16(at: number): boolean {
    return this.#buffer[at] === 0 && this.#buffer[at + 1] === 0
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + more))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

let spare: CopyBuffer | undefined

/** Encodes fields that many rows share, to be copied in by `CopyBuffer.bytes`. */
export function encodeFields(write: (target: CopyBuffer) => void): Buffer {
  // Thousands are encoded one by one; a buffer for each would cost more than what is written into it.
  const target = spare ?? new CopyBuffer(1024)
  spare = undefined
  write(target)
  const fields = Buffer.from(target.content)
  target.clear()
  spare = target
  return fields
}
