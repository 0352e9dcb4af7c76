import type { PlatformName } from '../../database/platform.js'
import { nearest } from '../../suggest.js'
import type { ScriptKind } from '../migration.js'

/** What every name of a migration file has. */
interface Numbered {
  readonly file: string
  readonly version: number
  /** The version as it is written. */
  readonly digits: string
  /** What stands between the version and the endings. */
  readonly name: string
}

/** `0006_rollups.timescaledb.up.sql` */
export interface SqlName extends Numbered {
  readonly kind: 'sql'
  readonly variant: PlatformName | null
  readonly script: ScriptKind
}

/** `0006_rollups.ts` */
export interface ModuleName extends Numbered {
  readonly kind: 'module'
}

/** `0006_rollups.sql`, which holds both directions in the form of dbmate or goose. */
export interface SingleName extends Numbered {
  readonly kind: 'single'
  /** What is wrong with the name when it does not. */
  readonly otherwise: string
}

/** `0006_rollups.go`, a migration that only another tool can run. */
export interface ForeignName extends Numbered {
  readonly kind: 'foreign'
  readonly language: string
}

export type MigrationName = SqlName | ModuleName | SingleName | ForeignName

export type ParsedName = MigrationName | { kind: 'problem'; message: string } | { kind: 'other' }

const platforms: readonly PlatformName[] = ['postgres', 'timescaledb', 'citus']

export const scriptKinds: readonly ScriptKind[] = ['up', 'down', 'verify']

/** Languages that tools of this kind let people write migrations in, by their endings. */
const languages: Readonly<Record<string, string>> = {
  clj: 'Clojure',
  cs: 'C#',
  ex: 'Elixir',
  exs: 'Elixir',
  fs: 'F#',
  go: 'Go',
  groovy: 'Groovy',
  java: 'Java',
  kt: 'Kotlin',
  kts: 'Kotlin',
  lua: 'Lua',
  php: 'PHP',
  pl: 'Perl',
  ps1: 'PowerShell',
  py: 'Python',
  rb: 'Ruby',
  rs: 'Rust',
  scala: 'Scala',
  sh: 'a shell',
}

/** `0006_rollups.timescaledb.up.sql` taken apart, or what is wrong with the name. */
export function parseName(file: string): ParsedName {
  if (file.startsWith('.') || /\.d\.[cm]?ts$/.test(file)) return { kind: 'other' }
  const foreign = parseForeign(file)
  if (foreign) return foreign
  const attempt = /^\d.*\.(sql|[cm]?[jt]s)$/i.test(file) || /\.(up|down|verify)\.sql$/i.test(file)
  if (/^\d+_.*\.(up|down)\.[a-z]+$/i.test(file) && !attempt) return problem(file, 'obs reads .sql and .ts')
  if (!attempt) return { kind: 'other' }
  const [, digits, rest, ending] = /^(\d+)_(.+)\.(sql|[cm]?[jt]s)$/.exec(file) ?? []
  if (!digits || !rest || !ending) return problem(file, 'a migration is called <version>_<name>.up.sql')
  const version = Number(digits)
  if (!Number.isSafeInteger(version)) return problem(file, `its version is above ${Number.MAX_SAFE_INTEGER}`)
  if (version === 0) return problem(file, 'version 0 stands for the empty database; begin with 1')
  return ending === 'sql' ? parseSqlName(file, digits, rest) : { kind: 'module', file, version, digits, name: rest }
}

function parseForeign(file: string): ForeignName | undefined {
  const [, digits, name, ending] = /^(\d+)[_-](.+)\.([a-z0-9]+)$/.exec(file) ?? []
  const language = languages[ending ?? '']
  if (!digits || !name || !language || /[_.](test|spec)$/.test(name)) return undefined
  return { kind: 'foreign', file, version: Number(digits), digits, name, language }
}

function parseSqlName(file: string, digits: string, rest: string): ParsedName {
  const version = Number(digits)
  const parts = rest.split('.')
  const kind = parts.length > 1 ? parts.pop() : undefined
  const script = scriptKinds.find((known) => known === kind)
  if (!script) return { kind: 'single', file, version, digits, name: rest, otherwise: wrongKind(kind) }
  const platform = platforms.find((known) => parts.length > 1 && known === parts.at(-1))
  if (platform) parts.pop()
  const guess = platform || parts.length < 2 ? undefined : nearest(parts.at(-1) ?? '', platforms)
  if (guess)
    return problem(file, `${JSON.stringify(parts.at(-1))} is no platform, did you mean ${JSON.stringify(guess)}?`)
  return { kind: 'sql', file, version, digits, name: parts.join('.'), variant: platform ?? null, script }
}

function wrongKind(kind: string | undefined): string {
  const guess = kind === undefined ? undefined : nearest(kind, scriptKinds)
  const meant = guess ? `, did you mean ${JSON.stringify(guess)}?` : ''
  return `the name has to end in .up.sql, .down.sql or .verify.sql, or the file to say -- migrate:up or -- +goose Up${meant}`
}

function problem(file: string, message: string): ParsedName {
  return { kind: 'problem', message: `${file}: ${message}` }
}
