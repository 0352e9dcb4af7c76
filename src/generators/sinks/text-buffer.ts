/** Bytes of a text under construction, in one buffer that grows and is used again and again. */
export class TextBuffer {
  bytes: Buffer
  length = 0

  constructor(size = 256 * 1024) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  get content(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  clear(): void {
    this.length = 0
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + count))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** Text without anything beyond ASCII. */
  ascii(text: string): void {
    this.reserve(text.length)
    this.length += this.bytes.write(text, this.length, 'latin1')
  }

  text(text: string): void {
    this.reserve(text.length * 3)
    this.length += this.bytes.write(text, this.length)
  }

  copy(source: Buffer, start: number, length: number): void {
    this.reserve(length)
    // A loop beats the call for the short values that most are.
    if (length > 48) source.copy(this.bytes, this.length, start, start + length)
    else for (let i = 0; i < length; i++) this.bytes[this.length + i] = source[start + i] as number
    this.length += length
  }

  /** A whole number that a double holds exactly. */
  integer(value: number): void {
    this.reserve(24)
    let rest = value
    if (rest < 0) {
      this.bytes[this.length++] = 0x2d
      rest = -rest
    }
    let width = 1
    for (let bound = 10; rest >= bound; bound *= 10) width++
    this.digits(rest, width)
  }

  /** A whole number with leading zeros. */
  digits(value: number, width: number): void {
    this.reserve(width)
    let rest = value
    for (let i = this.length + width - 1; i >= this.length; i--) {
      const next = Math.floor(rest / 10)
      this.bytes[i] = 0x30 + (rest - next * 10)
      rest = next
    }
    this.length += width
  }

  hex(source: Buffer, start: number, length: number): void {
    this.reserve(length * 2)
    for (let i = start; i < start + length; i++) {
      const value = source[i] as number
      this.bytes[this.length++] = hexDigits[value >> 4] as number
      this.bytes[this.length++] = hexDigits[value & 15] as number
    }
  }
}

const hexDigits = Buffer.from('0123456789abcdef')
