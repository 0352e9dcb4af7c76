import { UsageError } from '../errors.js'
import type { EngineName } from './manifest.js'

/** A client program of PostgreSQL found on this machine. */
export interface NativeTool {
  readonly name: 'pg_dump' | 'pg_restore'
  readonly path: string
  /** As it prints it, for example `15.18`. */
  readonly version: string
  readonly major: number
}

/** Everything the choice depends on. */
export interface EngineFacts {
  /** What `--engine` demands. */
  readonly wanted: EngineName | undefined
  readonly native: NativeTool | undefined
  /** Where it was looked for: `the PATH`, or the file that `--pg-dump` names. */
  readonly nativeSource: string
  readonly serverMajor: number
  readonly extensions: Readonly<Record<string, string>>
}

export interface EngineChoice {
  readonly engine: EngineName
  /** Why, as a person would say it. */
  readonly reason: string
}

/** The major version of the pg_dump that comes with obs; a newer server refuses to be dumped by it. */
const builtInMajor = 18

/**
 * Chooses how to take a backup: pg_dump where one is new enough, else the engine that comes with obs.
 *
 * @throws UsageError when the engine that was demanded, or every engine, cannot dump this server.
 */
export function chooseEngine(facts: EngineFacts): EngineChoice {
  const nativeObstacle = obstacleToNative(facts)
  const builtInObstacle = obstacleToBuiltIn(facts)
  if (facts.wanted === 'native') {
    if (nativeObstacle) throw refused('native', nativeObstacle, facts)
    return { engine: 'native', reason: `asked for; ${describe(facts.native)}` }
  }
  if (facts.wanted === 'built-in') {
    if (builtInObstacle) throw refused('built-in', builtInObstacle, facts)
    return { engine: 'built-in', reason: 'asked for' }
  }
  if (!nativeObstacle) return { engine: 'native', reason: `${describe(facts.native)} can dump ${server(facts)}` }
  if (!builtInObstacle) return { engine: 'built-in', reason: nativeObstacle }
  throw refused('any', `${nativeObstacle}, and ${builtInObstacle}`, facts)
}

function obstacleToNative({ native, nativeSource, serverMajor }: EngineFacts): string | undefined {
  if (!native) return `there is no pg_dump on ${nativeSource}`
  if (native.major < serverMajor) return `${describe(native)} is older than the server, PostgreSQL ${serverMajor}`
  if (isTooNew(native.major, serverMajor)) {
    return `the pg_restore of ${describe(native)} cannot restore into PostgreSQL ${serverMajor}, which has no transaction_timeout`
  }
  return undefined
}

/**
 * pg_restore 17 and newer begin with `SET transaction_timeout = 0`, whatever the server, and older servers
 * refuse it: an archive that cannot be brought back to where it is from is no backup.
 */
export function isTooNew(toolMajor: number, serverMajor: number): boolean {
  return toolMajor >= transactionTimeoutSince && serverMajor < transactionTimeoutSince
}

const transactionTimeoutSince = 17

function obstacleToBuiltIn(facts: EngineFacts): string | undefined {
  if ('timescaledb' in facts.extensions) {
    return 'the built-in engine cannot copy the inner tables of TimescaleDB'
  }
  if (facts.serverMajor > builtInMajor) {
    return `the built-in engine dumps servers up to PostgreSQL ${builtInMajor}, and this is ${facts.serverMajor}`
  }
  return undefined
}

function refused(engine: string, obstacle: string, facts: EngineFacts): UsageError {
  return new UsageError(
    engine === 'any' ? `no engine can back this database up: ${obstacle}` : `--engine ${engine}: ${obstacle}`,
    {
      code: 'engine_unavailable',
      hint: remedy(engine, facts),
      details: {
        engine,
        pg_dump: facts.native?.version ?? null,
        server_major: facts.serverMajor,
        built_in_major: builtInMajor,
      },
    },
  )
}

function remedy(engine: string, facts: EngineFacts): string {
  const versions =
    facts.serverMajor < transactionTimeoutSince
      ? [facts.serverMajor, transactionTimeoutSince - 1]
          .filter((major, i, all) => all.indexOf(major) === i)
          .join(' or ')
      : `${facts.serverMajor} or newer`
  const ways = [`Install pg_dump ${versions}`, 'name one with --pg-dump']
  if (engine === 'native' && obstacleToBuiltIn(facts) === undefined) ways.push('leave out --engine')
  return `${ways.join(', or ')}; nothing was written.`
}

function describe(native: NativeTool | undefined): string {
  if (!native) return 'pg_dump'
  return `pg_dump ${native.version}${native.path === 'pg_dump' ? '' : ` (${native.path})`}`
}

function server({ serverMajor }: EngineFacts): string {
  return `PostgreSQL ${serverMajor}`
}
