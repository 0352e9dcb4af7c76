import type { RunContext } from '../../context.js'
import { readCatalog } from '../../database/catalog.js'
import type { Database, Session, Sql } from '../../database/connect.js'
import { detectPlatform } from '../../database/platform.js'
import { quoteIdentifier } from '../../database/quote.js'
import { withScratchDatabase } from '../../database/scratch.js'
import { ObsError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { MigrationFailedError } from '../errors.js'
import { chooseScript, type Migration } from '../migration.js'
import { migrateUp } from '../run/up.js'
import { flatten, reachesBeyond } from '../scratch/whole-server.js'
import { parseScript } from '../statements/statements.js'
import { textAt, unwrap } from '../statements/tree.js'
import { compareLines, type Difference, sizeOf } from './difference.js'
import { cannotCompare, nothingToAdopt } from './errors.js'
import { toolOwnedPaths, withoutPaths } from './own-tables.js'

/** How the database differs from what the migrations up to one version build. */
export interface Compared {
  readonly migration: Migration
  readonly difference: Difference
}

export interface Comparison {
  /** The versions that differ least, lowest first; more than one when they differ equally. */
  readonly nearest: readonly Compared[]
  /** Why the versions after a certain one were not compared, for people. */
  readonly stuck: string | undefined
}

/**
 * Builds the schema of a pack in a scratch database, version by version, and compares
 * the given database with it.
 *
 * In the pack's own schema both have to hold the same; in other schemas only what the
 * migrations build there is looked for, because those may hold anybody's tables. The
 * tables of migration tools do not count. Nothing is written to the database itself.
 *
 * @param to the only version to compare with; without it every version is.
 * @throws ObsError when nothing could be compared, saying why.
 */
export async function compareVersions(
  database: Database,
  pack: Pack,
  migrations: readonly Migration[],
  to: number | undefined,
  context: RunContext,
): Promise<Comparison> {
  const wanted = migrations.filter((one) => one.version <= (to ?? Number.MAX_SAFE_INTEGER))
  const survey = await surveyScripts(database, wanted)
  const { last } = survey
  if (last === undefined || (to !== undefined && survey.stuck !== undefined)) throw cannotCompare(survey.stuck ?? '')
  const target = new Target(database.sql, pack, await toolOwnedPaths(database.sql, pack))
  let nearest: readonly Compared[] = []
  const afterEach = async (session: Session, { version }: { readonly version: number }) => {
    const migration = wanted.find((one) => one.version === version)
    if (!migration || (to !== undefined && version !== to)) return
    nearest = closest(nearest, { migration, difference: await target.compareWith(session) })
  }
  const failure = await build(database, pack, survey, { to: last.version, afterEach }, context)
  const stuck = failure ?? survey.stuck
  context.progress.step('comparing with what is there')
  if (nearest.length === 0) throw cannotCompare(stuck ?? 'no migration was run')
  if (to === undefined && (await target.isEmpty())) throw nothingToAdopt(pack)
  return { nearest, stuck }
}

function closest(nearest: readonly Compared[], next: Compared): readonly Compared[] {
  const [first] = nearest
  if (!first || sizeOf(next.difference) < sizeOf(first.difference)) return [next]
  return sizeOf(next.difference) === sizeOf(first.difference) ? [...nearest, next] : nearest
}

interface Survey {
  /** The newest migration that a scratch database can be built up to. */
  readonly last: Migration | undefined
  /** Why not to the end. */
  readonly stuck: string | undefined
  /** The extensions that migrations make themselves. */
  readonly extensions: ReadonlySet<string>
}

async function surveyScripts({ platform }: Database, migrations: readonly Migration[]): Promise<Survey> {
  const extensions = new Set<string>()
  let last: Migration | undefined
  for (const migration of migrations) {
    const script = chooseScript(migration.up, platform.name)
    const parsed = script && !script.run ? (await parseScript(script, platform.serverVersion)).parsed : undefined
    const stuck = script && parsed && reachesBeyond(script, parsed)
    if (stuck !== undefined) return { last, stuck, extensions }
    for (const { tree } of flatten(parsed?.statements ?? [])) {
      const { kind, content } = unwrap(tree)
      if (kind === 'CreateExtensionStmt') extensions.add(textAt(content, 'extname'))
    }
    last = migration
  }
  return { last, stuck: undefined, extensions }
}

interface BuildOptions {
  readonly to: number
  readonly afterEach: (session: Session, applied: { readonly version: number }) => Promise<void>
}

/** What stopped it half-way, undefined when it went to the end. */
async function build(
  database: Database,
  pack: Pack,
  { extensions }: Survey,
  options: BuildOptions,
  context: RunContext,
): Promise<string | undefined> {
  const installed = await installedExtensions(database.sql)
  const quiet = inScratch(context)
  try {
    await withScratchDatabase(database.address, quiet, async (scratch) => {
      await installExtensions(
        scratch.sql,
        installed.filter(({ name }) => !extensions.has(name)),
      )
      const platform = await detectPlatform(scratch.sql)
      await migrateUp({ ...scratch, platform }, pack, { ...options, preserve: 'off' }, quiet)
    })
    return undefined
  } catch (error) {
    if (error instanceof MigrationFailedError)
      return `${error.migration} does not run in an empty database: ${error.failure.message}`
    if (error instanceof ObsError && error.code === 'no_scratch_database') throw cannotCompare(error.message, error)
    throw error
  }
}

interface Extension {
  readonly name: string
  readonly schema: string
}

function installedExtensions(sql: Sql): Promise<readonly Extension[]> {
  return sql<Extension[]>`
    select e.extname as name, n.nspname as schema
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname <> 'plpgsql' order by e.oid`
}

/** What an administrator installed by hand; where that is refused, the migration that needs it says so. */
async function installExtensions(sql: Sql, extensions: readonly Extension[]): Promise<void> {
  for (const { name, schema } of extensions) {
    const create = `create extension if not exists ${quoteIdentifier(name)}`
    const where = schema === 'pg_catalog' ? '' : ` schema ${quoteIdentifier(schema)}`
    if (where) await sql.unsafe(`create schema if not exists ${quoteIdentifier(schema)}`).catch(() => undefined)
    await sql.unsafe(`${create}${where}`).catch(() => sql.unsafe(create).catch(() => undefined))
  }
}

/** So that nobody takes the steps for something that happens to their own database. */
function inScratch({ progress, signal }: RunContext): RunContext {
  const step = (text: string) => progress.step(`in a scratch database: ${text}`)
  return { signal, progress: { step, advance: () => undefined, warn: (text) => progress.warn(text) } }
}

/** The database that is compared; what was read of it once is kept. */
class Target {
  readonly #lines = new Map<string, Promise<readonly string[]>>()

  constructor(
    readonly sql: Sql,
    readonly pack: Pack,
    readonly ownedByTools: readonly string[],
  ) {}

  async compareWith(scratch: Session): Promise<Difference> {
    const schemas = await schemasOf(scratch, this.pack)
    const own = compareLines(await this.#built(scratch, [this.pack.schema]), await this.#found([this.pack.schema]))
    const others = compareLines(await this.#built(scratch, schemas), await this.#found(schemas))
    const extensions = compareLines(await extensionLines(scratch), await extensionLines(this.sql))
    return { missing: [...extensions.missing, ...own.missing, ...others.missing], extra: own.extra }
  }

  /** Whether the pack's own schema holds nothing at all. */
  async isEmpty(): Promise<boolean> {
    return (await this.#found([this.pack.schema])).length === 0
  }

  async #built(scratch: Session, schemas: readonly string[]): Promise<readonly string[]> {
    return schemas.length === 0 ? [] : withoutPaths(await readCatalog(scratch, schemas), await this.#history(scratch))
  }

  #found(schemas: readonly string[]): Promise<readonly string[]> {
    const key = JSON.stringify(schemas)
    const known = this.#lines.get(key) ?? this.#read(schemas)
    this.#lines.set(key, known)
    return known
  }

  async #read(schemas: readonly string[]): Promise<readonly string[]> {
    return schemas.length === 0 ? [] : withoutPaths(await readCatalog(this.sql, schemas), this.ownedByTools)
  }

  /** The scratch database has a history, which may lie in the schema that is compared. */
  #history(scratch: Session): Promise<readonly string[]> {
    return toolOwnedPaths(scratch, this.pack)
  }
}

/** The other schemas that migrations have made or filled. */
async function schemasOf(scratch: Session, { schema, historySchema }: Pack): Promise<readonly string[]> {
  const rows = await scratch<{ name: string }[]>`
    select nspname as name from pg_namespace
    where nspname !~ '^pg_' and nspname <> all(${['information_schema', schema, historySchema]}) order by 1`
  return rows.map((row) => row.name)
}

async function extensionLines(sql: Sql | Session): Promise<readonly string[]> {
  const rows = await sql<
    { line: string }[]
  >`select format('extension %I', extname) as line from pg_extension order by 1`
  return rows.map((row) => row.line)
}
