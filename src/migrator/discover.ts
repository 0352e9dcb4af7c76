import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { PlatformName } from '../database/platform.js'
import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import { textChecksum } from './checksum.js'
import { type Problem, parseDirectives } from './directives.js'
import { MigrationFilesError } from './errors.js'
import type { Migration, MigrationFunction, Script, ScriptKind } from './migration.js'

/**
 * Reads the migrations of a folder, ordered by version.
 *
 * Files that are plainly something else (a README, a seed script) are passed over;
 * names that look like a migration and are not one are reported.
 *
 * @throws MigrationFilesError naming everything that is wrong with names, versions and directives at once.
 */
export async function discover(folder: string): Promise<readonly Migration[]> {
  const names = await fileNames(folder)
  const problems: Problem[] = []
  const scripts: NamedScript[] = []
  for (const name of names) {
    const parsed = parseName(name)
    if (parsed.kind === 'problem') problems.push({ message: parsed.message })
    if (parsed.kind === 'sql') scripts.push(await readScript(folder, parsed, problems))
    if (parsed.kind === 'module') scripts.push(...(await readModule(folder, parsed, problems)))
  }
  const migrations = assemble(scripts, problems)
  if (problems.length > 0) throw new MigrationFilesError(problems)
  return migrations
}

interface SqlName {
  readonly kind: 'sql'
  readonly file: string
  readonly version: number
  readonly digits: string
  readonly name: string
  readonly variant: PlatformName | null
  readonly script: ScriptKind
}

interface ModuleName {
  readonly kind: 'module'
  readonly file: string
  readonly version: number
  readonly digits: string
  readonly name: string
}

type ParsedName = SqlName | ModuleName | { kind: 'problem'; message: string } | { kind: 'other' }

interface NamedScript {
  readonly of: SqlName | ModuleName
  readonly kind: ScriptKind
  readonly script: Script
}

const platforms: readonly PlatformName[] = ['postgres', 'timescaledb', 'citus']
const kinds: readonly ScriptKind[] = ['up', 'down', 'verify']

/** `0006_rollups.timescaledb.up.sql` taken apart, or what is wrong with the name. */
export function parseName(file: string): ParsedName {
  if (/\.d\.[cm]?ts$/.test(file)) return { kind: 'other' }
  const attempt = /^\d.*\.(sql|[cm]?[jt]s)$/i.test(file) || /\.(up|down|verify)\.sql$/i.test(file)
  if (!attempt || file.startsWith('.')) return { kind: 'other' }
  const [, digits, rest, ending] = /^(\d+)_(.+)\.(sql|[cm]?[jt]s)$/.exec(file) ?? []
  if (!digits || !rest || !ending) return problem(file, 'a migration is called <version>_<name>.up.sql')
  const version = Number(digits)
  if (!Number.isSafeInteger(version)) return problem(file, `its version is above ${Number.MAX_SAFE_INTEGER}`)
  if (version === 0) return problem(file, 'version 0 stands for the empty database; begin with 1')
  return ending === 'sql' ? parseSqlName(file, digits, rest) : { kind: 'module', file, version, digits, name: rest }
}

function parseSqlName(file: string, digits: string, rest: string): ParsedName {
  const parts = rest.split('.')
  const kind = parts.length > 1 ? parts.pop() : undefined
  const script = kinds.find((known) => known === kind)
  if (!script) return problem(file, wrongKind(kind))
  const platform = platforms.find((known) => parts.length > 1 && known === parts.at(-1))
  if (platform) parts.pop()
  const guess = platform || parts.length < 2 ? undefined : nearest(parts.at(-1) ?? '', platforms)
  if (guess)
    return problem(file, `${JSON.stringify(parts.at(-1))} is no platform, did you mean ${JSON.stringify(guess)}?`)
  return {
    kind: 'sql',
    file,
    version: Number(digits),
    digits,
    name: parts.join('.'),
    variant: platform ?? null,
    script,
  }
}

function wrongKind(kind: string | undefined): string {
  const guess = kind === undefined ? undefined : nearest(kind, kinds)
  const meant = guess ? `, did you mean ${JSON.stringify(guess)}?` : ''
  return `the name has to end in .up.sql, .down.sql or .verify.sql${meant}`
}

function problem(file: string, message: string): ParsedName {
  return { kind: 'problem', message: `${file}: ${message}` }
}

async function fileNames(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries
      .filter(isFile)
      .map((entry) => entry.name)
      .sort()
  } catch (error) {
    throw new UsageError(`cannot read the migrations in ${folder}`, {
      code: 'migrations_unreadable',
      hint: 'Check the folder that "migrations" of the pack names in the configuration file.',
      cause: error,
      details: { folder },
    })
  }
}

function isFile(entry: Dirent): boolean {
  return entry.isFile() || entry.isSymbolicLink()
}

async function readScript(folder: string, of: SqlName, problems: Problem[]): Promise<NamedScript> {
  return { of, kind: of.script, script: await read(folder, of.file, of.variant, problems) }
}

async function read(folder: string, name: string, variant: PlatformName | null, problems: Problem[]): Promise<Script> {
  const file = join(folder, name)
  const bytes = await readFile(file).catch((error: Error) => {
    problems.push({ message: `${name}: ${error.message}` })
  })
  const text = bytes && decode(bytes)
  if (bytes && text === undefined) problems.push({ message: `${name}: the file is not UTF-8 text` })
  const content = text ?? ''
  const parsed = parseDirectives(file, content)
  problems.push(...parsed.problems)
  return { file, text: content, checksum: textChecksum(content), variant, directives: parsed.directives }
}

/** The text without its byte order mark, or undefined when the bytes are not UTF-8. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

async function readModule(folder: string, of: ModuleName, problems: Problem[]): Promise<readonly NamedScript[]> {
  const script = await read(folder, of.file, null, problems)
  const functions = await loadFunctions(script.file, problems)
  return kinds.flatMap((kind) => {
    const run = functions[kind]
    return run ? [{ of, kind, script: { ...script, run } }] : []
  })
}

async function loadFunctions(
  file: string,
  problems: Problem[],
): Promise<Readonly<Partial<Record<ScriptKind, MigrationFunction>>>> {
  try {
    const { createJiti } = await import('jiti')
    const loaded = await createJiti(import.meta.url, { moduleCache: false, fsCache: false }).import<
      Record<string, unknown>
    >(file)
    if (typeof loaded['up'] !== 'function') problems.push({ message: `${basename(file)}: it exports no function up` })
    const isFunction = (kind: ScriptKind) => typeof loaded[kind] === 'function'
    return Object.fromEntries(kinds.filter(isFunction).map((kind) => [kind, loaded[kind] as MigrationFunction]))
  } catch (error) {
    problems.push({ message: `${basename(file)}: ${error instanceof Error ? error.message : String(error)}` })
    return {}
  }
}

function assemble(scripts: readonly NamedScript[], problems: Problem[]): readonly Migration[] {
  const versions = new Map<number, NamedScript[]>()
  for (const script of scripts) versions.set(script.of.version, [...(versions.get(script.of.version) ?? []), script])
  return [...versions.values()]
    .map((forms) => assembleOne(forms, problems))
    .filter((migration) => migration !== undefined)
    .sort((a, b) => a.version - b.version)
}

function assembleOne(forms: readonly NamedScript[], problems: Problem[]): Migration | undefined {
  const [first] = forms
  if (!first) return undefined
  const { version, digits, name } = first.of
  const twin = forms.find((form) => isTwin(first, form)) ?? sameFormTwice(forms)
  if (twin) problems.push({ message: `version ${version} exists twice: ${twinName(first, twin, forms)}` })
  const pick = (kind: ScriptKind) => forms.filter((form) => form.kind === kind).map((form) => form.script)
  const migration = {
    version,
    name,
    id: `${digits}_${name}`,
    up: pick('up'),
    down: pick('down'),
    verify: pick('verify'),
  }
  if (migration.up.length === 0 && first.of.kind === 'sql') {
    problems.push({ message: `${first.of.file}: there is no ${migration.id}.up.sql beside it` })
  }
  return migration
}

function isTwin(first: NamedScript, other: NamedScript): boolean {
  return other.of.name !== first.of.name || other.of.digits !== first.of.digits || other.of.kind !== first.of.kind
}

function sameFormTwice(forms: readonly NamedScript[]): NamedScript | undefined {
  const key = (form: NamedScript) => `${form.kind} ${form.script.variant}`
  return forms.find((form, i) => forms.findIndex((other) => key(other) === key(form)) < i)
}

/** Files of the same kind are named when there are such, because those are the ones to compare. */
function twinName(first: NamedScript, twin: NamedScript, forms: readonly NamedScript[]): string {
  const rival = forms.find((form) => form !== twin && form.kind === twin.kind && form.of.file !== twin.of.file) ?? first
  return `${rival.of.file} and ${twin.of.file}`
}
