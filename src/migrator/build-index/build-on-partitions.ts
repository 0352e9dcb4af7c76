import type { Session } from '../../database/connect.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../database/quote.js'
import { ObsError } from '../../errors.js'
import { asIfFrom } from '../pieces/moved-error.js'
import type { PieceEnvironment } from '../pieces/piece.js'
import type { TableReceipt } from '../preservation/receipt.js'
import { parseStatement, type Statement } from '../statements/statements.js'
import { contentOf, node, relationName, text, writtenSql } from '../statements/written-name.js'
import { derivedName } from './derived-name.js'
import { type Action, nameTurns, nextAction } from './next-action.js'
import { type IndexFacts, type Member, readPartitionTree } from './partition-tree.js'
import { watchBuild } from './watch-build.js'

/** An index cannot be built on the partitions of a table. */
class BuildIndexError extends ObsError {
  constructor(message: string, hint: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message, { code: 'index_build_refused', hint, details })
  }
}

/** The OID of the partitioned table that `create index concurrently` names, undefined when it is no such statement. */
export async function partitionedTarget(session: Session, statement: Statement): Promise<number | undefined> {
  const [kind, content] = contentOf(statement)
  const relation = node(content['relation'])
  if (kind !== 'IndexStmt' || content['concurrent'] !== true || relation['inh'] !== true) return undefined
  const [row] = await session<{ oid: number }[]>`
    select oid::bigint as oid from pg_class
    where oid = to_regclass(${writtenSql(relationName(relation))}) and relkind = 'p'`
  return row?.oid
}

/**
 * Runs `create index concurrently` on a partitioned table, which the server itself refuses.
 *
 * The index of the whole table is declared first, invalid and empty. Then every partition
 * gets its own, concurrently, and each is attached; with the last one the index of the
 * whole becomes valid. What is next is decided each time from the catalog alone: so a
 * build that broke off goes on where it was, and partitions that come or go meanwhile are
 * taken as they are.
 * https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
 */
export async function buildOnPartitions(
  statement: Statement,
  table: number,
  environment: PieceEnvironment,
): Promise<readonly TableReceipt[]> {
  const build = await planBuild(statement, table, environment)
  await findOrDeclare(build)
  const repeats = new Map<string, number>()
  for (;;) {
    const { members, top } = await lookAgain(build)
    const action = nextAction(members, top)
    if (action.kind === 'done') return []
    refuseRepeating(repeats, action, build)
    await act(build, action, members, top)
  }
}

interface Build {
  readonly environment: PieceEnvironment
  readonly statement: Statement
  readonly table: number
  readonly name: string
  readonly unique: boolean
  /** The statement from the name of the table on, as its author wrote it, and the characters before it. */
  readonly tail: string
  readonly before: number
}

async function planBuild(statement: Statement, table: number, environment: PieceEnvironment): Promise<Build> {
  const [, content] = contentOf(await parseStatement(statement.sql))
  const name = text(content['idxname'])
  if (name === undefined) {
    throw new BuildIndexError(
      'an index on a partitioned table is built partition by partition, and needs a name by which to find it again',
      'Write create index concurrently <name> on …; nothing was built.',
    )
  }
  const bytes = Buffer.from(statement.sql)
  const start = Number(node(content['relation'])['location'] ?? 0)
  return {
    environment,
    statement,
    table,
    name,
    unique: content['unique'] === true,
    tail: bytes.toString('utf8', start),
    before: [...bytes.toString('utf8', 0, start)].length,
  }
}

/** Declares the index of the whole table, unless an earlier attempt did. */
async function findOrDeclare(build: Build): Promise<void> {
  const { session, patiently, context } = build.environment
  const [root, ...partitions] = await readPartitionTree(session, build.table)
  if (!root) return
  const foreign = partitions.filter((member) => member.kind === 'f')
  if (foreign.length > 0) {
    const names = foreign.map((member) => member.name).join(', ')
    throw new BuildIndexError(
      `${names} cannot have an index, because a foreign table has its rows elsewhere`,
      'Detach it, or make the index on each of the other partitions by itself; nothing was built.',
      { foreign: foreign.map((member) => member.name) },
    )
  }
  const there = root.indexes.find((index) => index.name === build.name && index.schema === root.schema)
  if (!there) {
    await patiently(() => declare(build, build.name))
    return
  }
  const wanted = await patiently(() => probe(build))
  if (there.says !== wanted) {
    throw new BuildIndexError(
      `the index ${there.name} exists already and says something else: ${there.says}`,
      `Drop it or choose another name; the file wants ${wanted}.`,
    )
  }
  if (there.valid) context.progress.warn(`the index ${there.name} exists already, says the same and is valid`)
}

async function declare({ environment: { session }, unique, tail, before }: Build, name: string): Promise<void> {
  const head = `create ${unique ? 'unique ' : ''}index ${quoteIdentifier(name)} on only `
  await asIfFrom(head, () => session.unsafe(head + tail), before)
}

/** What the index would say in the server's words: it is declared, read and taken back. */
async function probe(build: Build): Promise<string> {
  const { session } = build.environment
  const name = derivedName('obs_probe', build.name, 0)
  await session`begin`
  try {
    await declare(build, name)
    const [root] = await readPartitionTree(session, build.table)
    return root?.indexes.find((index) => index.name === name)?.says ?? ''
  } finally {
    await session`rollback`
  }
}

async function lookAgain({
  environment,
  table,
  name,
}: Build): Promise<{ members: readonly Member[]; top: IndexFacts }> {
  const members = await readPartitionTree(environment.session, table)
  const top = members[0]?.indexes.find((index) => index.name === name)
  if (top) return { members, top }
  throw new BuildIndexError(
    `the index ${name} is gone, because somebody dropped it meanwhile`,
    'Run it again to begin anew.',
  )
}

/** The same thing over and over means that somebody works against it, or the server does not do what it should. */
function refuseRepeating(repeats: Map<string, number>, action: Action, { name }: Build): void {
  const key = JSON.stringify([action.kind, 'member' in action ? action.member.oid : action])
  const times = (repeats.get(key) ?? 0) + 1
  repeats.set(key, times)
  if (times <= 3) return
  const where = 'member' in action ? action.member.name : name
  throw new BuildIndexError(
    `the index ${name} does not become valid; ${action.kind} was tried three times at ${where}`,
    'Look whether somebody else alters the partitions, then run it again; what was built stays.',
  )
}

async function act(build: Build, action: Action, members: readonly Member[], top: IndexFacts): Promise<void> {
  const { session, patiently, aside } = build.environment
  if (action.kind === 'stuck') throw stuck(build, action.member)
  if (action.kind === 'declare') return patiently(() => declareBelow(build, action.member, top))
  if (action.kind === 'build') return buildOne(build, action.member, members, top)
  if (action.kind === 'drop') {
    await aside(() => session.unsafe(`drop index concurrently if exists ${qualified(action.index)}`))
  }
  if (action.kind === 'attach' || action.kind === 'look') {
    const { index, to } = action
    await patiently(() => session.unsafe(`alter index ${qualified(to)} attach partition ${qualified(index)}`))
  }
}

function stuck({ name }: Build, member: Member): BuildIndexError {
  return new BuildIndexError(
    `the index ${name} cannot become valid, because of its part on ${member.name}`,
    `Drop it (drop index ${quoteIdentifier(name)}) and run this again.`,
  )
}

async function declareBelow({ environment: { session } }: Build, member: Member, top: IndexFacts): Promise<void> {
  const name = await freeName(session, member, top)
  await session.unsafe(createIndex(top, '', name, `only ${qualified(member)}`))
}

async function buildOne(build: Build, member: Member, members: readonly Member[], top: IndexFacts): Promise<void> {
  const { session, run, aside, context } = build.environment
  const leaves = members.filter((one) => one.kind !== 'p')
  const title = `building ${top.name} on ${member.name} (${leaves.indexOf(member) + 1} of ${leaves.length} partitions)`
  context.progress.step(title)
  const name = await freeName(session, member, top)
  const sql = createIndex(top, 'concurrently', name, qualified(member))
  await aside(() =>
    watchBuild(run.locks, title, context, async () => {
      await dropLeft(session, member, name)
      try {
        await inTablespaceOf(session, top, () => session.unsafe(sql))
      } catch (error) {
        // An invalid unique index refuses rows all the same.
        await dropLeft(session, member, name).catch(() => undefined)
        throw error
      }
    }),
  )
}

/** What an attempt before this one left; a deadlock ends a build and leaves its index behind. */
async function dropLeft(session: Session, member: Member, name: string): Promise<void> {
  const [left] = await session`
    select from pg_index where indrelid = ${member.oid}::oid and not indisvalid
    and indexrelid = to_regclass(${quoteQualified(member.schema, name)})`
  if (left) await session.unsafe(`drop index concurrently ${quoteQualified(member.schema, name)}`)
}

/** As the server writes it: `pg_get_indexdef` leaves nothing out except the tablespace. */
function createIndex({ says }: IndexFacts, how: string, name: string, on: string): string {
  const unique = says.startsWith('UNIQUE ')
  const tail = unique ? says.slice('UNIQUE '.length) : says
  return `create ${unique ? 'unique ' : ''}index ${how} ${quoteIdentifier(name)} on ${on} ${tail}`
}

async function freeName(session: Session, { oid, schema, name }: Member, top: IndexFacts): Promise<string> {
  for (let turn = 0; turn < nameTurns; turn++) {
    const candidate = derivedName(top.name, name, turn)
    const [taken] = await session`
      select from pg_class c left join pg_index i on i.indexrelid = c.oid
      where c.oid = to_regclass(${quoteQualified(schema, candidate)})
        and (i.indrelid is distinct from ${oid}::oid or i.indisvalid)`
    if (!taken) return candidate
  }
  const first = derivedName(top.name, name, 0)
  throw new BuildIndexError(
    `there is something else called ${quoteQualified(schema, first)}`,
    'Rename it, or choose another name for the index; what was built stays.',
  )
}

async function inTablespaceOf<T>(session: Session, { oid }: IndexFacts, work: () => PromiseLike<T>): Promise<T> {
  const [row] = await session<{ name: string; now: string }[]>`
    select s.spcname as name, current_setting('default_tablespace') as now
    from pg_class c join pg_tablespace s on s.oid = c.reltablespace where c.oid = ${oid}::oid`
  if (!row) return work()
  await session.unsafe(`set default_tablespace to ${quoteLiteral(row.name)}`)
  try {
    return await work()
  } finally {
    await session.unsafe(`set default_tablespace to ${quoteLiteral(row.now)}`).catch(() => undefined)
  }
}

function qualified({ schema, name }: Pick<Member, 'schema' | 'name'>): string {
  return quoteQualified(schema, name)
}
