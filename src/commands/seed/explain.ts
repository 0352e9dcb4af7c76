import { withSession } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import { describePlan } from '../../generators/library/describe.js'
import type { Expected } from '../../generators/library/expected.js'
import type { ColumnDescription, TableDescription } from '../../generators/library/plan.js'
import type { SeedSpec } from '../../generators/library/spec.js'
import { settingsOf } from '../../generators/open-run.js'
import { checkOptions } from '../../generators/request.js'
import { nearest } from '../../suggest.js'
import { formatCount } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { startOfDay } from '../days.js'
import { type Invocation, withTarget } from '../invocation.js'
import { generatorsOf } from './generators-of.js'

export interface ExplainFlags {
  readonly explain?: string | true
  readonly days: number
  readonly asOf?: Date
  readonly seed: number
  readonly scale: number
  readonly profile?: string
  readonly workspace?: string
  readonly spans?: boolean
}

/** Prints what the plan of the pack fills its tables with, and loads nothing. */
export async function explain(invocation: Invocation<ExplainFlags>): Promise<void> {
  const { seed: spec } = invocation.settings.pack
  answerExplained(invocation, spec ? await describeOwn(invocation, spec) : await describeShipped(invocation))
}

/** A shipped pack knows its tables without a database. */
async function describeShipped(invocation: Invocation<ExplainFlags>): Promise<readonly TableDescription[]> {
  const { options, settings } = invocation
  const generators = await generatorsOf(settings.pack)
  const { days, seed, scale, profile, spans, asOf = startOfDay(new Date()) } = options
  const request = checkOptions({ generators, days, seed, scale, profile, spans, asOf })
  const workspace = options.workspace ?? settings.workspace ?? generators.workspaces?.demo ?? ''
  return (await generators.describe?.(settingsOf(request, workspace, undefined))) ?? []
}

async function describeOwn(invocation: Invocation<ExplainFlags>, spec: SeedSpec): Promise<readonly TableDescription[]> {
  const { options, settings } = invocation
  const known = ['default', ...Object.keys(spec.profiles ?? {})]
  const { days, seed, scale, profile = 'default' } = options
  if (!known.includes(profile)) throw unknown('profile', profile, known)
  const run = { days, seed, scale, profile, asOf: options.asOf ?? startOfDay(new Date()) }
  return withTarget(
    invocation,
    (database) => withSession(database.sql, (session) => describePlan(session, settings.pack.schema, spec, run)),
    { purpose: 'explain', connections: 1 },
  )
}

/** Prints descriptions of tables: all of them, one, or one column. */
function answerExplained(invocation: Invocation<ExplainFlags>, tables: readonly TableDescription[]): void {
  const { options, style } = invocation
  const chosen = choose(tables, options.explain === true ? undefined : options.explain)
  invocation.answer({
    json: { tables: chosen.map(plainTable) },
    text: chosen.map((table) => renderPlan(table, style)).join('\n\n'),
  })
}

function choose(tables: readonly TableDescription[], wanted: string | undefined): readonly TableDescription[] {
  if (wanted === undefined) return tables
  const table = tables.find((one) => wanted === one.table || wanted.startsWith(`${one.table}.`))
  if (!table)
    throw unknown(
      'table',
      wanted,
      tables.map((one) => one.table),
    )
  const name = wanted.slice(table.table.length + 1)
  if (name === '') return [table]
  const columns = table.columns.filter((column) => column.name === name)
  if (columns.length === 0)
    throw unknown(
      'column',
      name,
      table.columns.map((column) => column.name),
    )
  return [{ ...table, columns }]
}

function unknown(kind: string, name: string, known: readonly string[]): UsageError {
  const guess = nearest(name, known)
  return new UsageError(
    `the plan has no ${kind} ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: `unknown_${kind}`,
      hint: `Choose one of ${known.join(', ')}.`,
      details: { [kind]: name, known },
    },
  )
}

function plainTable({ table, rows, rowsFrom, timeColumn, keys, columns }: TableDescription): object {
  return {
    table,
    rows: rows ?? null,
    rows_from: rowsFrom,
    time_column: timeColumn ?? null,
    keys,
    columns: columns.map(({ name, type, generator, summary, options, nulls, distinct, expected }) => ({
      ...{ name, type, generator, summary, options, nulls, distinct },
      expected: expected === undefined ? null : plainExpected(expected),
    })),
  }
}

function plainExpected(expected: Expected): object {
  if (expected.kind === 'shares') return { kind: 'shares', shares: expected.shares }
  const [from, to] = expected.range.map((end) => (Number.isFinite(end) ? end : null))
  return { kind: 'curve', unit: expected.unit, words: expected.words, from, to, step: expected.step }
}

function renderPlan({ table, rows, rowsFrom, keys, columns }: TableDescription, style: Style): string {
  const count = rows === undefined ? rowsFrom : `${formatCount(rows)} rows, ${rowsFrom}`
  const unique = keys.map((key) => `(${key.join(', ')})`).join(' ')
  const lines = columns.map((column) => [
    column.name,
    column.type,
    column.generator,
    optionsInWords(column),
    expectedInWords(column),
  ])
  const [only] = columns
  return [
    `${style.strong(table)}: ${count}${unique === '' ? '' : `; unique ${unique}`}`,
    renderTable(
      [{ title: 'column' }, { title: 'type' }, { title: 'generator' }, { title: 'options' }, { title: 'expected' }],
      lines,
    ),
    ...(columns.length === 1 && only ? [only.summary] : []),
  ].join('\n')
}

function optionsInWords({ options }: ColumnDescription): string {
  return Object.entries(options)
    .map(([name, value]) => `${name} ${shortened(typeof value === 'string' ? value : JSON.stringify(value))}`)
    .join(', ')
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

const sharesShown = 5

function expectedInWords({ expected, nulls, distinct }: ColumnDescription): string {
  const parts = [nulls > 0 ? `${percent(nulls)} null` : '', distinct ? 'distinct' : '']
  if (expected?.kind === 'curve') parts.push(expected.words)
  if (expected?.kind === 'shares') {
    const shares = Object.entries(expected.shares)
    const shown = shares.slice(0, sharesShown).map(([value, share]) => `${shortened(value)} ${percent(share)}`)
    parts.push([...shown, ...(shares.length > sharesShown ? [`${shares.length - sharesShown} more`] : [])].join(', '))
  }
  return parts.filter(Boolean).join('; ')
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
