import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeResult, type FrontendMessage, FrontendReader } from '../../src/backup/wire.js'

const startup = Buffer.from([0, 0, 0, 8, 0, 3, 0, 0])

function query(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from('Q'), length, body])
}

describe('FrontendReader', () => {
  it('finds the same messages however the bytes are cut', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), fc.array(fc.nat(40), { maxLength: 20 }), (texts, cuts) => {
        const bytes = Buffer.concat([startup, ...texts.map(query)])
        const reader = new FrontendReader()
        const messages: FrontendMessage[] = []
        let at = 0
        for (const cut of [...cuts, bytes.length]) {
          messages.push(...reader.read(bytes.subarray(at, at + cut)))
          at += cut
        }
        expect(messages).toEqual([{ kind: 'startup' }, ...texts.map((value) => ({ kind: 'query', text: value }))])
      }),
    )
  })
})

describe('encodeResult', () => {
  it('tells NULL from an empty value', () => {
    const columns = [{ name: 'a', type: 25, table: 0, number: -6 }]
    const bytes = encodeResult({ columns, rows: [[null], [Buffer.from('')]], tag: 'SELECT 2' }, 'T')
    const row = (length: number[]) => Buffer.from(['D'.charCodeAt(0), 0, 0, 0, 10, 0, 1, ...length])
    expect(bytes.includes(row([255, 255, 255, 255]))).toBe(true)
    expect(bytes.includes(row([0, 0, 0, 0]))).toBe(true)
    expect(bytes.subarray(-6)).toEqual(Buffer.from('Z\0\0\0\x05T'))
  })
})
