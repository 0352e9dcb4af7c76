import type { Change, Gap, GapItem, Severity } from '../schema/gap.js'
import { printable } from '../terminal/printable.js'
import type { Style } from '../terminal/style.js'
import { escapeMarkdown, markdownTable } from './markdown.js'

/** A comparison of two schemas, ready to be drawn. */
export interface GapReport {
  /** What the schema should be. */
  readonly reference: string
  /** What was compared with it. */
  readonly actual: string
  readonly gap: Gap
  /** How this report calls a change. */
  readonly words: Readonly<Record<Change, string>>
  /** What the reader should know besides. */
  readonly notes: readonly string[]
  /** The last line when there is no difference. */
  readonly same: string
}

/** Draws a comparison for a terminal: by group, in the order of deployment, the verdict last. */
export function renderGap(report: GapReport, style: Style): string {
  const { reference, actual, gap, notes } = report
  const legend = [
    `${style.bad('-')} ${printable(reference)}  ${style.faint('(reference)')}`,
    `${style.good('+')} ${printable(actual)}`,
  ]
  const blocks = [...byGroup(gap.items)].map(([group, items]) =>
    [style.strong(group), ...items.flatMap((item) => itemLines(item, report, style))].join('\n'),
  )
  const verdict = gap.items.length === 0 ? style.good(report.same) : style.bad(countLine(gap))
  const remarks = [...notes.map(printable), ...partitionNote(gap)]
  return [legend.join('\n'), ...blocks, ...(remarks.length > 0 ? [remarks.join('\n')] : []), verdict].join('\n\n')
}

/** The same as a page: one table by group, then both definitions of each difference. */
export function markdownGap(report: GapReport): string {
  const { reference, actual, gap, notes } = report
  const rows = gap.items.map((item) => [
    item.group,
    item.severity,
    report.words[item.change],
    `${item.kind} ${item.object}`,
    sentence(item),
  ])
  const sections = [
    '# Schema comparison',
    `- reference: ${escapeMarkdown(reference)}\n- compared with it: ${escapeMarkdown(actual)}`,
    `**${gap.items.length === 0 ? escapeMarkdown(report.same) : countLine(gap)}**`,
    ...(rows.length > 0 ? [markdownTable(['group', 'severity', 'change', 'object', 'what it means'], rows)] : []),
    ...gap.items.flatMap((item) => definitionSection(item, report)),
    ...[...notes, ...partitionNote(gap)].map((note) => escapeMarkdown(note)),
  ]
  return sections.join('\n\n')
}

/** `3 differences: 1 breaking, 2 cosmetic`. */
function countLine({ items }: Gap): string {
  const count = (severity: Severity) => items.filter((item) => item.severity === severity).length
  const parts = (['breaking', 'risky', 'cosmetic'] as const)
    .filter((severity) => count(severity) > 0)
    .map((severity) => `${count(severity)} ${severity}`)
  return `${items.length} ${items.length === 1 ? 'difference' : 'differences'}: ${parts.join(', ')}`
}

function partitionNote({ dataPartitions: count }: Gap): readonly string[] {
  if (count === 0) return []
  return [
    `${count} ${count === 1 ? 'partition was' : 'partitions were'} made for the data, and ${count === 1 ? 'is' : 'are'} no difference`,
  ]
}

function byGroup(items: readonly GapItem[]): ReadonlyMap<string, readonly GapItem[]> {
  const groups = new Map<string, GapItem[]>()
  for (const item of items) {
    const members = groups.get(item.group) ?? []
    members.push(item)
    groups.set(item.group, members)
  }
  return groups
}

const indent = ' '.repeat(4)

function itemLines(item: GapItem, { words }: GapReport, style: Style): readonly string[] {
  const head = `  ${paint(item.severity, style)}  ${words[item.change].padEnd(9)}  ${item.kind} ${printable(item.object)}`
  const changed = shortened(definitionLines(item)).map((line) => {
    const text = `${indent}${printable(line)}`
    if (line.startsWith('+')) return style.good(text)
    return line.startsWith('-') ? style.bad(text) : style.faint(text)
  })
  return [head, `${indent}${style.faint(printable(sentence(item)))}`, ...changed]
}

const mostLines = 12

/** A long function is not read in a terminal; the page has it whole. */
function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= mostLines) return lines
  return [...lines.slice(0, mostLines), `… ${lines.length - mostLines} more lines; --format markdown has them all`]
}

function paint(severity: Severity, style: Style): string {
  const text = severity.padEnd(8)
  if (severity === 'breaking') return style.bad(text)
  return severity === 'risky' ? style.notice(text) : style.faint(text)
}

/** The impact, and how much comes and goes with it. */
function sentence({ impact, includes }: GapItem): string {
  if (includes.length === 0) return impact
  const kinds = new Map<string, number>()
  for (const { kind } of includes) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const counted = [...kinds].map(([kind, count]) => (count === 1 ? `1 ${kind}` : `${count} ${plural(kind)}`))
  return `${impact} (with ${counted.join(', ')})`
}

/** `foreign keys`, `indexes`, `policies`, `statistics`. */
function plural(kind: string): string {
  if (kind.endsWith('x')) return `${kind}es`
  if (kind.endsWith('y') && !kind.endsWith('key')) return `${kind.slice(0, -1)}ies`
  return kind.endsWith('s') ? kind : `${kind}s`
}

/** Both definitions as a difference by lines, without the lines at the ends that are the same. */
function definitionLines({ reference, actual }: GapItem): readonly string[] {
  const [before, after] = [linesOf(reference), linesOf(actual)]
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start++
  let end = 0
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const changed = (lines: readonly string[], mark: string) =>
    lines.slice(start, lines.length - end).map((line) => `${mark} ${line}`)
  return [...changed(before, '-'), ...changed(after, '+')]
}

function linesOf(definition: string | null): readonly string[] {
  return definition === null || definition === '' ? [] : definition.replaceAll('\t', '  ').trimEnd().split(/\r?\n/)
}

function definitionSection(item: GapItem, { words }: GapReport): readonly string[] {
  const lines = definitionLines(item)
  if (lines.length === 0) return []
  const longest = Math.max(2, ...lines.map((line) => /`+/.exec(line)?.[0].length ?? 0))
  const fence = '`'.repeat(longest + 1)
  const title = `### ${escapeMarkdown(`${item.kind} ${item.object}`)} ${words[item.change]}`
  return [title, [`${fence}diff`, ...lines, fence].join('\n')]
}
