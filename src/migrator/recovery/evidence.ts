import { z } from 'zod'
import type { Session } from '../../database/connect.js'
import { quoteQualified } from '../../database/quote.js'
import type { Node, Statement } from '../statements/statements.js'
import { contentOf, list, node, relationName, text, writtenSql } from '../statements/written-name.js'
import { type CatalogObject, type Look, looks } from './look.js'

/**
 * What the catalog says about a statement that broke off.
 *
 * `done`: it took effect. `undone`: it did not. `repeat`: running it again does no harm,
 * whatever it did. `unknown`: the catalog cannot tell.
 */
export type Verdict = 'done' | 'undone' | 'repeat' | 'unknown'

export interface Evidence {
  readonly verdict: Verdict
  /** What was seen, one sentence each. */
  readonly findings: readonly string[]
  /** What half-done work has to be cleared away, or completed, before anything goes on; none of it can run in a transaction. */
  readonly cleanup: readonly string[]
}

/** What the catalog said about the objects that a statement names, at one moment. */
export type Observation = readonly CatalogObject[]

const observationSchema = z.array(
  z.object({
    oid: z.number(),
    schema: z.string().nullable(),
    name: z.string(),
    valid: z.boolean(),
    unique: z.boolean().optional(),
    method: z.string().optional(),
    keys: z.array(z.string().nullable()).optional(),
  }),
)

/** An observation out of a history row; undefined when there is none in it. */
export function parseObservation(value: unknown): Observation | undefined {
  const parsed = observationSchema.safeParse(value)
  return parsed.success ? parsed.data : undefined
}

/**
 * Looks at what a statement is about to change, so that a later look can be compared;
 * undefined for a statement about which the catalog says nothing.
 *
 * Names are found by the search path of the session.
 */
export async function observe(session: Session, statement: Pick<Statement, 'tree'>): Promise<Observation | undefined> {
  const [kind, content] = contentOf(statement)
  return lookFor(kind, content)?.(session, content)
}

/**
 * Tells whether a statement took effect, by what the catalog says now and, where it is
 * known, by what it said before the statement began.
 */
export async function gatherEvidence(
  session: Session,
  statement: Pick<Statement, 'tree'>,
  before: Observation | undefined,
): Promise<Evidence> {
  const now = await observe(session, statement)
  return judge(statement, before, now)
}

function lookFor(kind: string, content: Node): Look | undefined {
  const look = looks[kind]
  return look?.applies(content) ? look.look : undefined
}

/** Decides from two looks at the catalog; pure. */
export function judge(
  statement: Pick<Statement, 'tree'>,
  before: Observation | undefined,
  now: Observation | undefined,
): Evidence {
  const [kind, content] = contentOf(statement)
  if (repeatable(kind, content)) return judgeRepeatable(before, now ?? [])
  if (now === undefined) return unknown(`what ${describeKind(kind)} did cannot be read from the catalog`)
  if (kind === 'IndexStmt') return judgeIndex(content, before, now)
  if (kind === 'AlterTableStmt') return judgeDetach(content, before, now)
  return kind.startsWith('Drop') ? judgeDrop(before, now) : judgeCreate(before, now)
}

function unknown(finding: string): Evidence {
  return { verdict: 'unknown', findings: [finding], cleanup: [] }
}

function describeKind(kind: string): string {
  if (kind === '') return 'a function, or a statement that only the server can read,'
  if (kind === 'CallStmt') return 'a called procedure'
  return kind === 'DoStmt' ? 'a DO block' : 'this kind of statement'
}

/** https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY */
function repeatable(kind: string, content: Node): boolean {
  const always = ['VacuumStmt', 'ClusterStmt', 'ReindexStmt', 'AlterSystemStmt', 'AlterDatabaseStmt', 'CheckPointStmt']
  return always.includes(kind) || (kind === 'RefreshMatViewStmt' && content['concurrent'] === true)
}

function judgeRepeatable(before: Observation | undefined, now: Observation): Evidence {
  const left = now.filter((one) => !wasThere(before, one))
  const findings = left.map((one) => `the invalid index ${nameOf(one)} was left behind by it`)
  return {
    verdict: 'repeat',
    findings: [...findings, 'it does the same however often it runs'],
    cleanup: left.map(dropIndex),
  }
}

/**
 * An index that was there before the statement is not its work.
 * https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
function judgeIndex(content: Node, before: Observation | undefined, now: Observation): Evidence {
  const wanted = text(content['idxname'])
  const table = writtenSql(relationName(content['relation']))
  const named = (one: CatalogObject) => wanted === undefined || one.name === wanted
  const fresh = now.filter((one) => named(one) && !wasThere(before, one) && saysTheSame(one, content))
  const what =
    wanted === undefined ? `an index of that kind on ${table}` : `the index ${nameOf({ ...nowhere, name: wanted })}`
  if (fresh.length === 0) return { verdict: 'undone', findings: [`${what} does not exist`], cleanup: [] }
  const valid = fresh.filter((one) => one.valid)
  if (valid.length > 1) return unknown(`${valid.map(nameOf).join(' and ')} could each be what it made`)
  const [made] = valid
  const broken = fresh.filter((one) => !one.valid)
  const findings = [
    ...(made ? [`the index ${nameOf(made)} exists and is valid`] : []),
    ...broken.map((one) => `the index ${nameOf(one)} exists and is INVALID, because its build did not end`),
  ]
  return { verdict: made ? 'done' : 'undone', findings, cleanup: broken.map(dropIndex) }
}

const nowhere = { oid: 0, schema: null, valid: true }

/** True unless key columns, uniqueness or method show that this is another index. */
function saysTheSame(index: CatalogObject, content: Node): boolean {
  const keys = list(content['indexParams']).map((item) => text(node(item['IndexElem'])['name']) ?? null)
  const method = text(content['accessMethod']) ?? 'btree'
  return (
    index.method === method &&
    index.unique === (content['unique'] === true) &&
    JSON.stringify(index.keys) === JSON.stringify(keys)
  )
}

/** https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION */
function judgeDetach(content: Node, before: Observation | undefined, now: Observation): Evidence {
  const [attached] = now
  const command = detachment(content)
  if (!command) return unknown('what this kind of statement did cannot be read from the catalog')
  const partition = writtenSql(command.partition)
  if (!attached && before?.length === 0)
    return { verdict: 'undone', findings: [`${partition} was no partition before it either`], cleanup: [] }
  if (!attached) return { verdict: 'done', findings: [`${partition} is no partition any more`], cleanup: [] }
  if (attached.valid) return { verdict: 'undone', findings: [`${partition} is still attached`], cleanup: [] }
  return {
    verdict: 'done',
    findings: [`${partition} is being detached, which has to be finished`],
    cleanup: [`alter table ${writtenSql(command.parent)} detach partition ${partition} finalize`],
  }
}

/** Parent and partition of `alter table … detach partition … concurrently`. */
export function detachment(content: Node) {
  const commands = list(content['cmds']).map((command) => node(command['AlterTableCmd']))
  const definition = node(node(commands[0]?.['def'])['PartitionCmd'])
  if (commands.length !== 1 || definition['concurrent'] !== true) return undefined
  return { parent: relationName(content['relation']), partition: relationName(definition['name']) }
}

/** What did not exist before the statement and exists now was made by it. */
function judgeCreate(before: Observation | undefined, now: Observation): Evidence {
  const [made] = now
  if (!made) return { verdict: 'undone', findings: ['what it makes does not exist'], cleanup: [] }
  if (wasThere(before, made))
    return { verdict: 'undone', findings: [`${nameOf(made)} existed before it, and still does`], cleanup: [] }
  return { verdict: 'done', findings: [`${nameOf(made)} exists`], cleanup: [] }
}

function judgeDrop(before: Observation | undefined, now: Observation): Evidence {
  const [left] = now
  if (!left && before?.length === 0)
    return { verdict: 'undone', findings: ['what it drops did not exist before it either'], cleanup: [] }
  if (!left) return { verdict: 'done', findings: ['what it drops is gone'], cleanup: [] }
  const state = left.valid ? 'still exists' : 'still exists, but cannot be used any more'
  return { verdict: 'undone', findings: [`${nameOf(left)} ${state}`], cleanup: [] }
}

function wasThere(before: Observation | undefined, one: CatalogObject): boolean {
  return before?.some((other) => other.oid === one.oid) ?? false
}

function nameOf({ schema, name }: Pick<CatalogObject, 'schema' | 'name'>): string {
  return writtenSql({ schema: schema ?? undefined, name })
}

function dropIndex({ schema, name }: CatalogObject): string {
  return `drop index concurrently if exists ${quoteQualified(schema ?? 'public', name)}`
}
