import type { SourceTable } from './inventory.js'

/** Rows that one session copies in one go: some small tables, a table, or a stretch of a large one. */
export interface CopyUnit {
  readonly parts: readonly CopyPart[]
}

/** The rows of a table, or those in some of its pages. */
export interface CopyPart {
  readonly table: SourceTable
  /** Where its rows go in the archive, without what compression and encryption add. */
  readonly path: string
  /** The condition on the rows, with its WHERE. */
  readonly where: string | undefined
}

/** Bytes of a large table that are copied in one go: few enough that sessions end together, not a file for every page. */
const stretchBytes = 32 * 1024 * 1024
const stretchesAtMost = 999
/** Tables below this share a transaction with others, because beginning one costs more than copying them. */
const smallBytes = 1024 * 1024
const smallTogether = 50

/** Divides the rows of `tables` among sessions, the largest first. */
export function divide(tables: readonly SourceTable[]): readonly CopyUnit[] {
  const numbered = tables.map((table, i) => ({ table, name: fileName(i + 1, table) }))
  const small = numbered.filter(({ table }) => table.bytes < smallBytes)
  const large = numbered.filter(({ table }) => table.bytes >= smallBytes)
  large.sort((a, b) => b.table.bytes - a.table.bytes)
  return [
    ...large.flatMap(({ table, name }) => stretches(table, name).map((part) => ({ parts: [part] }))),
    ...groups(small, smallTogether).map((group) => ({ parts: group.map(({ table, name }) => whole(table, name)) })),
  ]
}

function whole(table: SourceTable, name: string): CopyPart {
  return { table, path: `data/${name}.copy`, where: table.where ?? undefined }
}

/** The last stretch has no end: pages that were added since belong to it. */
function stretches(table: SourceTable, name: string): CopyPart[] {
  const { bytes, pages, where } = table
  const count = Math.min(Math.floor(bytes / stretchBytes), stretchesAtMost)
  if (pages === null || where !== null || count < 2) return [whole(table, name)]
  const size = Math.ceil(pages / count)
  return Array.from({ length: count }, (_, i) => ({
    table,
    path: `data/${name}.${String(i + 1).padStart(3, '0')}.copy`,
    where: [`where ctid >= '(${i * size},0)'`, ...(i === count - 1 ? [] : [`ctid < '(${(i + 1) * size},0)'`])].join(
      ' and ',
    ),
  }))
}

/** `0001-public.traces`: the number tells apart names that look alike once made safe. */
function fileName(number: number, { schema, name }: SourceTable): string {
  const safe = `${schema}.${name}`.replace(/[^A-Za-z0-9_.-]+/g, '_').slice(0, 80)
  return `${String(number).padStart(4, '0')}-${safe}`
}

function groups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}
