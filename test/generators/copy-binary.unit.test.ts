import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CopyBuffer, copyHeader, copyTrailer, encodeFields } from '../../src/generators/copy-binary.js'
import { arrayLiteral, copyRows } from '../../src/generators/copy-rows.js'
import { jsonbText } from '../../src/generators/jsonb-text.js'
import { fieldText, rowsOf } from './copy-fields.js'

describe('the copy buffer', () => {
  it('begins and ends a file as PostgreSQL expects it', () => {
    expect(copyHeader.toString('hex')).toBe('5047434f50590aff0d0a000000000000000000')
    expect(copyTrailer.readInt16BE()).toBe(-1)
  })

  it('writes any number of any scale as it is read again', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 0, max: 12 }), (scaled, scale) => {
        const digits = String(Math.abs(scaled)).padStart(scale + 1, '0')
        const point = digits.length - scale
        const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
        expect(read('numeric', (b) => b.numeric(scaled, scale))).toBe(scaled < 0 ? `-${text}` : text)
      }),
    )
  })

  it('has no group of zeros at either end of a numeric', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 0, max: 12 }), (scaled, scale) => {
        const field = encodeFields((b) => b.numeric(scaled, scale)).subarray(4)
        const groups = field.readInt16BE()
        expect(field).toHaveLength(8 + groups * 2)
        expect(scaled === 0 ? field.readInt16BE(2) : 0).toBe(0)
        expect(scaled === 0 || field.readInt16BE(8) !== 0).toBe(true)
        expect(scaled === 0 || field.readInt16BE(6 + groups * 2) !== 0).toBe(true)
      }),
    )
  })

  it('writes any whole number, in words and in digits', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(read('int8', (b) => b.int8(value))).toBe(String(value))
        expect(read('text', (b) => b.open().digits(Math.abs(value)).close())).toBe(String(Math.abs(value)))
      }),
    )
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(read('int4', (b) => b.int4(value))).toBe(String(value))
        expect(read('text', (b) => b.open().hex(value).close())).toBe((value >>> 0).toString(16).padStart(8, '0'))
      }),
    )
  })

  it('grows with a row that is longer than all of it', () => {
    const buffer = new CopyBuffer(1024)
    const long = 'é'.repeat(300_000)
    const bytes = Buffer.alloc(500_000, 'x')
    buffer.row(3).text(long).textBytes(bytes).int4(7)
    buffer.row(1600)
    for (let i = 0; i < 1600; i++) buffer.numeric(Number.MAX_SAFE_INTEGER, 12)
    const lengths: number[] = []
    for (const fields of rowsOf(buffer.content)) {
      lengths.push(fields.length)
      if (fields.length > 3) continue
      expect(fields[0]?.toString()).toBe(long)
      expect(fields[1]?.equals(bytes)).toBe(true)
      expect(fields[2]?.readInt32BE()).toBe(7)
    }
    expect(lengths).toEqual([3, 1600])
  })

  it('is full from its size on, and empty after it was cleared', () => {
    const buffer = new CopyBuffer(40 * 1024)
    let rows = 0
    for (; !buffer.isFull; rows++) buffer.row(1).textBytes(Buffer.alloc(15 * 1024 - 6))
    expect(rows).toBe(3)
    expect(buffer.content).toHaveLength(45 * 1024)
    buffer.clear()
    expect(buffer.content).toHaveLength(0)
  })

  it('numbers rows in a field of their own before all others', () => {
    const buffer = new CopyBuffer()
    buffer.numberFrom(41)
    for (const word of ['a', 'b']) buffer.row(1).text(word)
    const texts: string[] = []
    for (const [number, word] of rowsOf(buffer.content)) texts.push(`${number?.readBigInt64BE()} ${word}`)
    expect(texts).toEqual(['41 a', '42 b'])
  })
})

describe('the text of a jsonb value', () => {
  it('has its keys by length and then by bytes, without exponents', () => {
    expect(jsonbText({ bb: 1e21, a: -1.5e-7, c: [true, null, 'x\n\u0001'], B: { é: 1, zz: 2, x: 3 } })).toBe(
      '{"B": {"x": 3, "zz": 2, "é": 1}, "a": -0.00000015, "c": [true, null, "x\\n\\u0001"], "bb": 1000000000000000000000}',
    )
  })

  it('is read by JavaScript as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(JSON.parse(jsonbText(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

it('tells NULL from a text that looks like it', () => {
  const rows = [
    ['a\tb', null],
    ['\r\n', '\\N'],
  ]
  expect(copyRows(rows).toString()).toBe('a\\tb\t\\N\n\\r\\n\t\\\\N\n')
})

it('quotes every element of an array', () => {
  expect(arrayLiteral(['plain', 'a "b" \\c', ''])).toBe('{"plain","a \\"b\\" \\\\c",""}')
})

function read(type: string, write: (buffer: CopyBuffer) => void): string {
  return fieldText(type, encodeFields(write).subarray(4))
}
