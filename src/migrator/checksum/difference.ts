import { basename } from 'node:path'
import type { Script } from '../migration.js'
import { place } from '../statements/place-statements.js'
import { takeApart } from '../statements/take-apart.js'

/** How the file of an applied migration differs from what was applied. */
export interface Change {
  /** The id of the migration. */
  readonly migration: string
  readonly file: string
  /** The line of the file where the first difference is, from 1. */
  readonly line: number
  /** Lines that were applied begin with `-`, lines of the file as it is now with `+`. */
  readonly lines: readonly string[]
}

/** As many lines of a difference as a person reads. */
const longest = 20

/**
 * Both sides of a difference, in lines.
 *
 * Lines that differ in comments and formatting only are left out as far as statements
 * can be told apart. The parser has to be loaded for SQL.
 */
export function differenceBetween(migration: string, applied: string, now: Script): Change {
  const statements = now.run ? undefined : changedStatements(applied, now.text)
  const [before, after] = statements ?? [linesOf(applied), linesOf(now.text)]
  const edits = diff(before, after)
  const first = edits.find((edit) => edit.sign !== ' ')
  const lines = edits.filter((edit) => edit.sign !== ' ').map(({ sign, text }) => `${sign} ${text}`)
  const more = lines.length - longest
  return {
    migration,
    file: now.file,
    line: first?.line ?? 1,
    lines: more > 0 ? [...lines.slice(0, longest), `… and ${more} more lines`] : lines,
  }
}

/** `0004_toys.up.sql:3` and the lines below it. */
export function describeChange({ file, line, lines }: Change): string {
  return [`${basename(file)}:${line} (- as applied, + as it is now)`, ...lines.map((text) => `  ${text}`)].join('\n')
}

interface Line {
  readonly text: string
  /** In its own text, from 1. */
  readonly number: number
}

function linesOf(text: string, from = 1): readonly Line[] {
  return text.split(/\r\n|\r|\n/).map((line, i) => ({ text: line.trimEnd(), number: from + i }))
}

/** The lines of the statements that are in one text and not in the other; undefined when a text does not parse. */
function changedStatements(applied: string, now: string): [readonly Line[], readonly Line[]] | undefined {
  const before = sayings(applied)
  const after = sayings(now)
  if (!before || !after) return undefined
  const edits = diff(before, after)
  const side = (sign: string, text: string) =>
    edits.filter((edit) => edit.sign === sign).flatMap(({ entry }) => linesOf(entry.sql, lineAt(text, entry.index)))
  return [side('-', applied), side('+', now)]
}

interface Saying {
  /** What is compared. */
  readonly text: string
  readonly sql: string
  readonly index: number
  readonly number: number
}

function sayings(text: string): readonly Saying[] | undefined {
  const { stretches, mistake } = takeApart(text)
  if (mistake) return undefined
  return stretches.flatMap(place).map(({ statement: { sql, index, rows }, tokens }) => ({
    text: rows ? `${tokens.normal}\n${rows.text}` : tokens.normal,
    sql: rows ? `${sql};\n${rows.text}` : sql,
    index,
    number: lineAt(text, index),
  }))
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split(/\r\n|\r|\n/).length
}

interface Edit<Entry> {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
  readonly entry: Entry
  /** Where it is, or would be, in the new text. */
  readonly line: number
}

/** Above this product of lengths the two sides are shown whole. */
const affordable = 4_000_000

/** The longest common subsequence, after what is the same at both ends. */
function diff<Entry extends { readonly text: string; readonly number: number }>(
  before: readonly Entry[],
  after: readonly Entry[],
): readonly Edit<Entry>[] {
  let start = 0
  while (start < before.length && start < after.length && before[start]?.text === after[start]?.text) start++
  let end = 0
  const most = Math.min(before.length, after.length) - start
  while (end < most && before.at(-1 - end)?.text === after.at(-1 - end)?.text) end++
  const old = before.slice(start, before.length - end)
  const young = after.slice(start, after.length - end)
  const lengths = old.length * young.length > affordable ? [] : commonLengths(old, young)
  const edits: Edit<Entry>[] = []
  const lineOf = (j: number) => young[j]?.number ?? after[start + j]?.number ?? (after.at(-1)?.number ?? 0) + 1
  for (let i = 0, j = 0; i < old.length || j < young.length; ) {
    const [gone, come] = [old[i], young[j]]
    if (gone && come && gone.text === come.text) {
      edits.push({ sign: ' ', text: come.text, entry: come, line: come.number })
      i++
      j++
    } else if (gone && (!come || (lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0))) {
      edits.push({ sign: '-', text: gone.text, entry: gone, line: lineOf(j) })
      i++
    } else if (come) {
      edits.push({ sign: '+', text: come.text, entry: come, line: come.number })
      j++
    }
  }
  return edits
}

/** `lengths[i][j]`: how much the rests from `i` and from `j` have in common. */
function commonLengths(old: readonly { text: string }[], young: readonly { text: string }[]): readonly number[][] {
  const lengths = Array.from({ length: old.length + 1 }, () => new Array<number>(young.length + 1).fill(0))
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = young.length - 1; j >= 0; j--) {
      const row = lengths[i] as number[]
      const below = lengths[i + 1] as number[]
      row[j] = old[i]?.text === young[j]?.text ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0)
    }
  }
  return lengths
}
