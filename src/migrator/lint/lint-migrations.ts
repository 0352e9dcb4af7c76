import type { PlatformName } from '../../database/platform.js'
import { describeStatement } from '../effects/describe-statement.js'
import type { EffectContext } from '../effects/effects.js'
import { locate } from '../files/location.js'
import { chooseScript, type Direction, type Migration, type Script } from '../migration.js'
import type { TableName } from '../preservation/touched-tables.js'
import { type ParsedScript, parseScript, type Statement } from '../statements/statements.js'
import { nodeAt, textAt, unwrap } from '../statements/tree.js'
import { type Allow, complaintAbout, findAllows } from './allow.js'
import type { Complaint, Finding, MigrationSubject, Region, Rule, ScriptSubject, Subject } from './rule.js'
import { badAllow, cannotRun, lintRules, unusedAllow } from './rules.js'
import { createModel, type ModelTable, type SchemaModel, tableWithRows } from './schema-model.js'

/** The newest version of PostgreSQL whose behaviour is known, as `server_version_num`. */
export const newestServerVersion = 180000

export interface LintOptions {
  /** `server_version_num`; the newest known when nothing else is said. */
  readonly serverVersion?: number
  /** The platform whose forms of the files are looked at; every one that there is by default. */
  readonly platform?: PlatformName
  /** The versions to report on; all by default. */
  readonly versions?: ReadonlySet<number>
  /**
   * True when these versions run one after another on a database that is at the version
   * before them: then a table that one of them makes holds no rows that the others could block.
   */
  readonly together?: boolean
  /** What a database says about itself; without it every table that exists is taken to hold rows. */
  readonly database?: DatabaseFacts
}

/** What lint wants to know of a database. */
export interface DatabaseFacts {
  /** Tables as they are before the first of the versions runs; what lint learns from files otherwise. */
  readonly tables?: readonly ModelTable[]
  /** Rows of a table, undefined when it does not exist. */
  rows(table: TableName): number | undefined
  /** Whether the sessions of migrations have UTC as their time zone. */
  readonly utc?: boolean
}

export interface LintResult {
  /** By version, file and place. */
  readonly findings: readonly Finding[]
  /** How many migrations were looked at. */
  readonly migrations: number
  readonly serverVersion: number
}

/**
 * Looks for dangerous changes in migrations.
 *
 * Nothing is run and no database is asked; what one says may be handed in. Migrations
 * before the chosen versions are read to know the tables that these find.
 */
export async function lintMigrations(migrations: readonly Migration[], options: LintOptions = {}): Promise<LintResult> {
  const serverVersion = options.serverVersion ?? newestServerVersion
  const platforms = options.platform ? [options.platform] : platformsOf(migrations)
  const findings: Finding[] = []
  const used = new Set<string>()
  for (const platform of platforms) {
    findings.push(...(await lintPlatform(migrations, platform, { ...options, serverVersion }, used)))
  }
  const chosen = migrations.filter((one) => isChosen(one, options))
  return {
    findings: sorted(unique(findings.filter((one) => one.rule !== unusedAllow.id || !used.has(placeOf(one))))),
    migrations: chosen.length,
    serverVersion,
  }
}

/** PostgreSQL itself, and every platform that has files of its own. */
function platformsOf(migrations: readonly Migration[]): readonly PlatformName[] {
  const variants = migrations.flatMap((one) => [...one.up, ...one.down].map((script) => script.variant))
  return [...new Set(['postgres' as const, ...variants.filter((variant) => variant !== null)])]
}

function isChosen({ version }: Migration, { versions }: LintOptions): boolean {
  return versions === undefined || versions.has(version)
}

type Settled = LintOptions & { readonly serverVersion: number }

/** A script as the parser understands it. */
interface ReadScript {
  readonly script: ScriptSubject
  /** The statements that share a transaction with each; one that runs alone is alone here. */
  readonly transactions: ReadonlyMap<Statement, readonly Statement[]>
}

interface Reading {
  readonly migration: Migration
  readonly up: ReadScript | undefined
  readonly down: ReadScript | undefined
  readonly hasDown: boolean
  readonly broken: readonly Finding[]
}

async function lintPlatform(
  migrations: readonly Migration[],
  platform: PlatformName,
  options: Settled,
  used: Set<string>,
): Promise<readonly Finding[]> {
  const chosen = migrations.filter((one) => isChosen(one, options))
  const known = options.database?.tables
  const relevant = known ? chosen : migrations
  const readings: Reading[] = []
  for (const migration of relevant) readings.push(await read(migration, platform, options))
  const start = () => createModel(copyOf(known ?? []))
  const final = start()
  for (const { migration, up } of readings)
    for (const one of up?.script.statements ?? []) final.learn(one, migration.version)
  const walk: Walk = { model: start(), final, options, used, chosen: new Set(chosen.map((one) => one.version)) }
  return readings.flatMap((reading) => lintOne(reading, walk))
}

function copyOf(tables: readonly ModelTable[]): readonly ModelTable[] {
  return tables.map((table) => ({
    ...table,
    columns: new Map([...table.columns].map(([name, one]) => [name, { ...one }])),
    constraints: new Map([...table.constraints].map(([name, one]) => [name, { ...one }])),
    indexes: new Map(table.indexes),
  }))
}

interface Walk {
  /** What is known where the walk has come. */
  readonly model: SchemaModel
  readonly final: SchemaModel
  readonly options: Settled
  readonly chosen: ReadonlySet<number>
  /** Where the comments are that silence something on some platform. */
  readonly used: Set<string>
}

async function read(migration: Migration, platform: PlatformName, options: Settled): Promise<Reading> {
  const broken: Finding[] = []
  const readScript = async (direction: Direction): Promise<ReadScript | undefined> => {
    const script = chooseScript(migration[direction], platform)
    if (!script || script.run) return undefined
    const { parsed, problems } = await parseScript(script, options.serverVersion)
    for (const { message, location } of problems) {
      const region = location ? { ...location, endLine: location.line, endColumn: location.column + 1 } : undefined
      broken.push(finding(cannotRun, { message }, { migration, direction, region: region ?? startOf(script) }))
    }
    if (problems.length > 0) return undefined
    const groups = transactionsOf(parsed)
    const subject = { migration, direction, script, serverVersion: options.serverVersion, effects: [] }
    return {
      script: { ...subject, statements: groups.flat() },
      transactions: new Map(groups.flatMap((group) => group.map((statement) => [statement, group]))),
    }
  }
  const up = await readScript('up')
  const down = await readScript('down')
  return { migration, up, down, hasDown: chooseScript(migration.down, platform) !== undefined, broken }
}

/** The statements of a file by the transactions they run in. */
function transactionsOf({ statements, transactional }: ParsedScript): readonly (readonly Statement[])[] {
  return transactional ? [statements] : statements.map((statement) => statement.block ?? [statement])
}

function lintOne(reading: Reading, walk: Walk): readonly Finding[] {
  const { migration } = reading
  const up = reading.up && walkScript(reading.up, walk)
  const down = reading.down && walkScript(reading.down, walk)
  if (!walk.chosen.has(migration.version)) return []
  const subject: MigrationSubject = {
    migration,
    up: up?.script,
    down: down?.script,
    hasDown: reading.hasDown,
    final: walk.final,
  }
  const whole = lintRules.flatMap((rule) => findInMigration(rule, subject))
  const found = [...(up?.findings ?? []), ...(down?.findings ?? []), ...whole]
  return [
    ...reading.broken,
    ...[up?.script, down?.script].flatMap((script) => (script ? silence(script, found, walk.used) : [])),
  ]
}

interface Walked {
  readonly script: ScriptSubject
  readonly findings: readonly Finding[]
}

/** Goes through the statements in order, each with what is known before it. */
function walkScript({ script: read, transactions }: ReadScript, walk: Walk): Walked {
  const { model } = walk
  const { statements } = read
  const temporary = new Set(statements.flatMap(temporaryTable))
  const effects = new Map<Statement, ReturnType<typeof describeStatement>>()
  const all: Finding[] = []
  const described = []
  for (const statement of statements) {
    const effect = describeStatement(statement, contextFor(walk, model))
    effects.set(statement, effect)
    described.push(effect)
    const subject = subjectFor(statement, { script: read, transactions, effects, temporary, walk })
    if (walk.chosen.has(read.migration.version))
      all.push(...lintRules.flatMap((rule) => findInStatement(rule, subject)))
    // A down takes back what its up has left, so what comes next finds the schema as the up left it.
    if (read.direction === 'up') model.learn(statement, read.migration.version)
  }
  return { script: { ...read, effects: described }, findings: all }
}

function contextFor({ options }: Walk, facts: SchemaModel): EffectContext {
  return { serverVersion: options.serverVersion, utc: options.database?.utc ?? false, facts }
}

interface Around {
  readonly script: ScriptSubject
  readonly transactions: ReadonlyMap<Statement, readonly Statement[]>
  readonly effects: ReadonlyMap<Statement, ReturnType<typeof describeStatement>>
  readonly temporary: ReadonlySet<string>
  readonly walk: Walk
}

function subjectFor(statement: Statement, { script, transactions, effects, temporary, walk }: Around): Subject {
  const { options, chosen, model } = walk
  const isNew = (made: number | undefined) =>
    made !== undefined && (made === script.migration.version || (options.together === true && chosen.has(made)))
  const isTemporary = ({ schema, table }: TableName) => schema === 'pg_temp' || temporary.has(table)
  const rows = (table: TableName) => options.database?.rows(table)
  const effectOf = (one: Statement) => effects.get(one) ?? describeStatement(one, contextFor(walk, model))
  return {
    statement,
    ...unwrap(statement.tree),
    effect: effectOf(statement),
    effectOf,
    script,
    transaction: transactions.get(statement) ?? [statement],
    model,
    inUse: (table) => !isNew(model.find(table)?.madeBy) && !isTemporary(table) && rows(table) !== 0,
    describe: (table) => tableWithRows(table, rows(table)),
  }
}

/** The table that a `create temporary table` makes, which nobody else sees. */
function temporaryTable({ tree }: Statement): readonly string[] {
  const { content } = unwrap(tree)
  const made = [nodeAt(content, 'relation'), nodeAt(nodeAt(content, 'into'), 'rel')]
  return made.filter((one) => one['relpersistence'] === 't').map((one) => textAt(one, 'relname'))
}

function findInStatement(rule: Rule, subject: Subject): readonly Finding[] {
  const { script } = subject
  if (!rule.test || (script.direction === 'down' && !rule.alsoDown)) return []
  return rule.test(subject).map((complaint) => place(rule, complaint, script, complaint.statement ?? subject.statement))
}

function findInMigration(rule: Rule, subject: MigrationSubject): readonly Finding[] {
  const script = rule.about === 'down' ? subject.down : subject.up
  if (!rule.testMigration || !script) return []
  return rule.testMigration(subject).map((complaint) => place(rule, complaint, script, complaint.statement))
}

function place(
  rule: Rule,
  complaint: Complaint,
  { migration, direction, script }: ScriptSubject,
  statement?: Statement,
): Finding {
  const region = statement ? regionOf(script, statement.index, statement.sql.length) : startOf(script)
  return finding(rule, complaint, { migration, direction, region })
}

function finding(
  rule: Rule,
  { message, safer }: Complaint,
  { migration, direction, region }: { migration: Migration; direction: Direction; region: Region },
): Finding {
  return {
    rule: rule.id,
    severity: rule.severity,
    message,
    safer: safer ?? rule.safer,
    version: migration.version,
    migration: migration.id,
    direction,
    location: region,
  }
}

function regionOf({ file, text }: Script, index: number, length: number): Region {
  const { line, column, snippet } = locate(file, text, index)
  const end = locate(file, text, index + length)
  return { file, line, column, snippet, endLine: end.line, endColumn: end.column }
}

function startOf(script: Script): Region {
  return regionOf(script, 0, 0)
}

/** Takes away what a comment allows, and adds what is wrong with the comments. */
function silence(script: ScriptSubject, found: readonly Finding[], used: Set<string>): readonly Finding[] {
  const own = found.filter((one) => one.direction === script.direction)
  const allows = findAllows(script.script.text, script.statements)
  const usable = allows.filter((allow) => complaintAbout(allow) === undefined)
  const covers = (allow: Allow, one: Finding) => allow.rule === one.rule && isFor(allow, one, script)
  const about = (rule: Rule, allow: Allow, message: string) => {
    const region = regionOf(script.script, allow.index, allow.length)
    return finding(rule, { message }, { migration: script.migration, direction: script.direction, region })
  }
  return [
    ...own.filter((one) => !usable.some((allow) => covers(allow, one))),
    ...allows.flatMap((allow) => {
      const complaint = complaintAbout(allow)
      if (complaint) return [about(badAllow, allow, complaint)]
      const unused = about(unusedAllow, allow, `there is nothing here that ${allow.rule} would find`)
      if (own.some((one) => covers(allow, one))) used.add(placeOf(unused))
      return [unused]
    }),
  ]
}

function isFor({ statement }: Allow, { location }: Finding, { script }: ScriptSubject): boolean {
  if (!statement) return true
  if (statement.index < 0) return false
  const { line, column } = locate(script.file, script.text, statement.index)
  return line === location.line && column === location.column
}

function placeOf({ location }: Finding): string {
  return `${location.file}:${location.line}:${location.column}`
}

/** Platforms share files, and what is wrong with a shared file is said once. */
function unique(findings: readonly Finding[]): readonly Finding[] {
  const key = (one: Finding) => `${one.rule} ${placeOf(one)} ${one.message}`
  return [...new Map(findings.map((one) => [key(one), one])).values()]
}

function sorted(findings: readonly Finding[]): readonly Finding[] {
  const order = (one: Finding) =>
    [one.version, one.direction === 'up' ? 0 : 1, one.location.file, one.location.line] as const
  return [...findings].sort((a, b) => compare(order(a), order(b)))
}

function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  if (at < 0) return 0
  return (a[at] ?? 0) < (b[at] ?? 0) ? -1 : 1
}
