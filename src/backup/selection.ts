import { quoteQualified } from '../database/quote.js'
import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import { type ContentsEntry, contentsName, keepEntries } from './contents.js'
import type { DdlStatement } from './ddl.js'
import type { Manifest } from './manifest.js'
import type { NativePlan, RestorePlan } from './restore-plan.js'
import type { TableName } from './scope.js'

/** What of a backup to bring back; all of it when empty. */
export interface Selection {
  /** Rows of these tables alone; a partitioned table stands for its partitions. */
  readonly tables?: readonly TableName[]
  /** Definitions without rows, or rows without definitions. */
  readonly only?: 'schema' | 'data'
}

export function isEverything({ tables, only }: Selection): boolean {
  return tables === undefined && only === undefined
}

/** A plan for a part of a backup, and what of the definitions cannot be brought back with it. */
export interface SelectedPlan {
  readonly plan: RestorePlan
  /** Foreign keys of chosen tables to tables that were not chosen, as SQL. */
  readonly leftOut: readonly string[]
}

/**
 * Cuts a plan down to what was chosen. Both engines bring back the same.
 *
 * @throws UsageError when the backup holds no such table.
 */
export async function select(plan: RestorePlan, selection: Selection): Promise<SelectedPlan> {
  if (isEverything(selection)) return { plan, leftOut: [] }
  const { tables, only } = selection
  // Large objects belong to no table, and stay with the whole.
  const whole = { ...plan, manifest: { ...plan.manifest, large_objects: null } }
  if (only === 'schema') {
    const { plan: part } = await definitionsWith({ ...whole, tables: [], sequences: [] }, new Set())
    return { plan: part, leftOut: [] }
  }
  const names = namesOf(plan, tables)
  const chosen = plan.tables.filter(({ schema, name }) => names?.has(quoteQualified(schema, name)) ?? true)
  const part = { ...whole, tables: chosen }
  if (only === 'data') return { plan: await rowsOf(part), leftOut: [] }
  return definitionsWith(part, names ?? new Set())
}

/** Rows without definitions. */
async function rowsOf(plan: RestorePlan): Promise<RestorePlan> {
  const common = { rowsAlone: true, jobs: 1 }
  if (plan.engine === 'built-in') return { ...plan, ...common, preData: [], largeObjects: [], postData: [] }
  const isChosen = chosenRows(plan)
  const list = keepEntries(await contentsOf(plan), (entry) => isRows(entry) && isChosen(entry))
  return { ...plan, ...common, list }
}

/** Every definition that can be brought back with the rows of `chosen` tables, and the rows of the plan's tables. */
async function definitionsWith(plan: RestorePlan, chosen: ReadonlySet<string>): Promise<SelectedPlan> {
  const leftOut = definitionsOf(plan).filter((statement) => isUnanswered(statement, chosen))
  const common = { rowsAlone: leftOut.length > 0 }
  const sql = leftOut.map((statement) => statement.sql)
  if (plan.engine === 'built-in') {
    const postData = plan.postData.filter((statement) => !leftOut.includes(statement))
    return { plan: { ...plan, ...common, largeObjects: [], postData }, leftOut: sql }
  }
  const isChosen = chosenRows(plan)
  const omitted = new Set(leftOut.map(({ entry }) => entry?.id))
  const list = keepEntries(await contentsOf(plan), (entry) => {
    if (isRows(entry)) return isChosen(entry)
    if (isSequence(entry)) return plan.sequences.length > 0
    return !omitted.has(entry.id) && !isLargeObject(entry)
  })
  return { plan: { ...plan, ...common, list }, leftOut: sql }
}

async function contentsOf({ archive, list }: NativePlan): Promise<string> {
  return list ?? archive.text(contentsName)
}

/** Entries have numbers and definitions names; those of an extension's own tables are not in the archive. */
function chosenRows({ definitions, tables }: NativePlan): (entry: ContentsEntry) => boolean {
  const names = new Set(tables.map(({ schema, name }) => quoteQualified(schema, name)))
  const made = definitions.filter(({ kind }) => kind === 'CreateStmt')
  const oids = new Map(made.map(({ entry, tables: [name = ''] }) => [entry?.oid, name]))
  const prefixes = tables
    .filter(({ where }) => where !== null)
    .map(({ schema, name }) => `TABLE DATA ${schema} ${name} `)
  return ({ oid, text }) => {
    const name = oids.get(oid)
    return name === undefined ? prefixes.some((prefix) => text.startsWith(prefix)) : names.has(name)
  }
}

const isRows = ({ text }: ContentsEntry) => text.startsWith('TABLE DATA ')
const isSequence = ({ text }: ContentsEntry) => text.startsWith('SEQUENCE SET ')
const isLargeObject = ({ text }: ContentsEntry) => /^(BLOB|(ACL|COMMENT|SECURITY LABEL) - LARGE OBJECT)/.test(text)

function definitionsOf(plan: RestorePlan): readonly DdlStatement[] {
  return plan.engine === 'built-in' ? [...plan.preData, ...plan.postData] : plan.definitions
}

/** A foreign key whose rows are brought back without those they refer to. */
function isUnanswered({ builds, tables }: DdlStatement, chosen: ReadonlySet<string>): boolean {
  const [own = '', other = own] = tables
  return builds === 'foreign key' && chosen.has(own) && !chosen.has(other)
}

/** The tables that are meant, partitioned ones with their partitions; undefined for all. */
function namesOf(plan: RestorePlan, wanted: readonly TableName[] | undefined): ReadonlySet<string> | undefined {
  if (wanted === undefined) return undefined
  const partitions = partitionsOf(definitionsOf(plan))
  const names = new Set<string>()
  const add = (name: string) => {
    if (names.has(name)) return
    names.add(name)
    for (const partition of partitions.get(name) ?? []) add(partition)
  }
  for (const { schema, name } of wanted) add(quoteQualified(schema, name))
  const known = new Set([...partitions.keys(), ...plan.tables.map(({ schema, name }) => quoteQualified(schema, name))])
  const unknown = wanted.filter(({ schema, name }) => !known.has(quoteQualified(schema, name)))
  if (unknown.length > 0) throw unknownTables(plan.manifest, unknown)
  return names
}

/** pg_dump makes partitions as tables and attaches them: parents with their children. */
function partitionsOf(statements: readonly DdlStatement[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { sql, kind } of statements) {
    if (kind !== 'AlterTableStmt') continue
    const name = '((?:"(?:[^"]|"")+"|[^\\s."]+)\\.(?:"(?:[^"]|"")+"|[^\\s."]+))'
    const [, parent, child] = new RegExp(`^ALTER TABLE ONLY ${name} ATTACH PARTITION ${name} `).exec(sql) ?? []
    if (!parent || !child) continue
    found.set(quoted(parent), [...(found.get(quoted(parent)) ?? []), quoted(child)])
  }
  return found
}

/** `public."Odd"` as `"public"."Odd"`. */
function quoted(name: string): string {
  const parts = name.match(/"(?:[^"]|"")+"|[^."]+/g) ?? []
  return parts.map((part) => (part.startsWith('"') ? part : `"${part}"`)).join('.')
}

function unknownTables({ id, tables }: Manifest, unknown: readonly TableName[]): UsageError {
  const known = tables.map(({ schema, name }) => `${schema}.${name}`)
  const named = unknown.map(({ schema, name }) => `${schema}.${name}`)
  const guess = nearest(named[0] ?? '', known)
  return new UsageError(
    `the backup ${id} holds no rows of ${named.join(', ')}${guess ? `, did you mean ${guess}?` : ''}`,
    {
      code: 'unknown_table',
      hint: 'Its manifest.json lists the tables; nothing was changed.',
      details: { id, tables: named },
    },
  )
}
