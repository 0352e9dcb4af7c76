import type { Membership } from './scope.js'

/** The archive's table of contents, which is also the list of what a restore brings back. */
export const contentsName = 'contents.txt'

/** An entry of a table of contents: `3442; 0 16422 TABLE DATA public pet owner`. */
export interface ContentsEntry {
  /** Numbers the entries of one archive. */
  readonly id: number
  /** The OIDs of the system catalog and of the object's row in it; catalog 0 for what is no object. */
  readonly catalog: number
  readonly oid: number
  /** Type, schema, name and owner. */
  readonly text: string
  /** Ids of the entries it cannot be without. */
  readonly needs: readonly number[]
}

/** The table of contents with those entries alone that are `wanted`, asked in their order. */
export function keepEntries(contents: string, wanted: (entry: ContentsEntry) => boolean): string {
  const [head = '', ...blocks] = contents.split(/\n(?=\d+; )/)
  return `${[head, ...blocks.filter((block) => wanted(entryOf(block)))].join('\n').trimEnd()}\n`
}

/** The lines below an entry, comments to pg_restore, say what it depends on. */
function entryOf(block: string): ContentsEntry {
  const [, id, catalog, oid, text = ''] = /^(\d+); (\d+) (\d+) (.*)/.exec(block) ?? []
  const needs = /^;\s+depends on: ([\d ]+)$/m.exec(block)?.[1]?.trim().split(' ') ?? []
  return { id: Number(id), catalog: Number(catalog), oid: Number(oid), text, needs: needs.map(Number) }
}

/**
 * The entries that belong to the members of a backup of some tables.
 *
 * Rows, grants and what puts partitions together have no object of their own; they belong to what they
 * depend on.
 */
export function onlyListed(contents: string, { objects }: Membership): string {
  const kept = new Set<number>()
  return keepEntries(contents, ({ id, catalog, oid, text, needs }) => {
    if (/^(ENCODING|STDSTRINGS|SEARCHPATH) /.test(text)) return true
    const own =
      catalog !== 0 ? objects.has(`${catalog}.${oid}`) : needs.length > 0 && needs.every((need) => kept.has(need))
    if (own) kept.add(id)
    return own
  })
}
