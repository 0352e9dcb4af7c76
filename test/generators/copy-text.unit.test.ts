import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrayLiteral, CopyBuffer, copyRows, copyValue } from '../../src/generators/copy-text.js'

describe('the copy buffer', () => {
  it('writes any whole number as JavaScript does', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(written((b) => b.integer(value))).toBe(String(value))
      }),
    )
  })

  it('writes leading zeros', () => {
    expect(written((b) => b.digits(42, 6).character(':').digits(0, 2))).toBe('000042:00')
  })

  it('writes millionths with six places', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 12), (micros) => {
        const digits = String(micros).padStart(7, '0')
        expect(written((b) => b.decimal(micros, 6))).toBe(`${digits.slice(0, -6)}.${digits.slice(-6)}`)
      }),
    )
  })

  it('writes a word as hexadecimal digits, whole or in halves', () => {
    expect(written((b) => b.hex(0x0badcafe).tab().hexHalves(0xdeadbeef).newline())).toBe('0badcafe\tdead-beef\n')
  })

  it('is full while a long row still fits, and empty after it was cleared', () => {
    const buffer = new CopyBuffer(40 * 1024)
    const row = Buffer.alloc(15 * 1024, 'x')
    let rows = 0
    for (; !buffer.isFull; rows++) buffer.bytes(row)
    expect(rows).toBe(2)
    expect(buffer.content).toHaveLength(2 * row.length)
    buffer.clear()
    expect(buffer.content).toHaveLength(0)
  })
})

it('tells NULL from a text that looks like it', () => {
  expect(copyValue(null).toString()).toBe('\\N')
  expect(copyValue('\\N').toString()).toBe('\\\\N')
  expect(
    copyRows([
      ['a\tb', null],
      ['\r\n', ''],
    ]).toString(),
  ).toBe('a\\tb\t\\N\n\\r\\n\t\n')
})

it('quotes every element of an array', () => {
  expect(arrayLiteral(['plain', 'a "b" \\c', ''])).toBe('{"plain","a \\"b\\" \\\\c",""}')
})

function written(write: (buffer: CopyBuffer) => void): string {
  const buffer = new CopyBuffer()
  write(buffer)
  return buffer.content.toString()
}
