import { describe, expect, it } from 'vitest'
import { copyBlocks } from '../../src/backup/copy-blocks.js'

const script = [
  '--',
  '-- Data for Name: pet; Type: TABLE DATA; Schema: public; Owner: -',
  '--',
  '',
  "SET client_encoding = 'UTF8';",
  'COPY public.pet (id, name) FROM stdin;',
  '1\tÄnne',
  '2\tCOPY x FROM stdin;',
  '3\t\\\\.',
  '4\t\\.5',
  '\\.',
  '',
  'COPY public.nobody (id) FROM stdin;',
  '\\.',
  '',
  'COPY public."line',
  ' FROM stdin;',
  'break" (a) FROM stdin;',
  '',
  '\\.',
  '',
  '-- PostgreSQL database dump complete',
  '',
].join('\n')

const expected = [
  ['COPY public.pet (id, name) FROM stdin;', '1\tÄnne\n2\tCOPY x FROM stdin;\n3\t\\\\.\n4\t\\.5\n'],
  ['COPY public.nobody (id) FROM stdin;', ''],
  ['COPY public."line\n FROM stdin;\nbreak" (a) FROM stdin;', '\n'],
]

async function blocksOf(text: string, size: number): Promise<string[][]> {
  const bytes = Buffer.from(text)
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const blocks: string[][] = []
  for await (const { statement, rows } of copyBlocks(pieces())) {
    const parts: Uint8Array[] = []
    for await (const part of rows) parts.push(part)
    blocks.push([statement, Buffer.concat(parts).toString()])
  }
  return blocks
}

describe('reading the rows of a script', () => {
  it.each([1, 2, 3, 4, 5, 7, 16, 1000])('finds every block whole when it comes in pieces of %i bytes', async (size) => {
    expect(await blocksOf(script, size)).toEqual(expected)
  })

  it('refuses a script that ends among the rows', async () => {
    await expect(blocksOf(script.slice(0, script.indexOf('3\t')), 10)).rejects.toThrow('ends among the rows')
  })

  it('refuses text in another encoding', async () => {
    await expect(blocksOf(script.replace('UTF8', 'LATIN1'), 100)).rejects.toThrow('LATIN1')
  })
})
