import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { UsageError } from '../../errors.js'
import { textChecksum } from '../checksum/checksum.js'
import { MigrationFilesError } from '../errors.js'
import type { Migration, MigrationFunction, Script, ScriptKind } from '../migration.js'
import { type Problem, parseDirectives } from './directives.js'
import {
  type ForeignName,
  type MigrationName,
  type ModuleName,
  parseName,
  type SingleName,
  type SqlName,
  scriptKinds,
} from './file-name.js'
import { locate } from './location.js'
import { type FileContent, readFiles } from './read-files.js'
import { holdsBothDirections, readSingleFile, withSection } from './single-file.js'

/**
 * Reads the migrations of a folder, ordered by version.
 *
 * Files that are plainly something else (a README, a seed script) are passed over, and
 * so are folders in it; names that look like a migration and are not one are reported.
 *
 * @throws MigrationFilesError naming everything that is wrong with names, versions and directives at once.
 */
export async function discover(folder: string): Promise<readonly Migration[]> {
  const problems: Problem[] = []
  const names: MigrationName[] = []
  for (const file of await fileNames(folder)) {
    const parsed = parseName(file)
    if (parsed.kind === 'problem') problems.push({ message: parsed.message })
    else if (parsed.kind !== 'other') names.push(parsed)
  }
  const scripts = await readScripts(folder, names.filter(isRunnable), problems)
  problems.push(...onlyForeign(names))
  const migrations = assemble(scripts, problems)
  if (problems.length > 0) throw new MigrationFilesError(problems)
  return migrations
}

type RunnableName = SqlName | ModuleName | SingleName

interface NamedScript {
  readonly of: RunnableName
  readonly kind: ScriptKind
  readonly script: Script
}

function isRunnable(name: MigrationName): name is RunnableName {
  return name.kind !== 'foreign'
}

/** A version that only another tool can run would be a gap that nobody sees. */
function onlyForeign(names: readonly MigrationName[]): readonly Problem[] {
  const runnable = new Set(names.filter(isRunnable).map((name) => name.version))
  return names
    .filter((name): name is ForeignName => name.kind === 'foreign' && !runnable.has(name.version))
    .map(({ file, version, language }) => ({
      message: `${file}: version ${version} is written in ${language} only, which obs cannot run; write it in SQL or TypeScript`,
    }))
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

async function readScripts(
  folder: string,
  names: readonly RunnableName[],
  problems: Problem[],
): Promise<readonly NamedScript[]> {
  const paths = names.map(({ file }) => join(folder, file))
  const contents = await readFiles(paths)
  const scripts: NamedScript[] = []
  for (const [i, of] of names.entries()) {
    const path = paths[i] as string
    const text = textOf(of.file, path, contents[i] as FileContent, problems)
    const file = { file: path, text: text ?? '' }
    if (of.kind === 'sql') scripts.push(sqlScript(of, file, problems))
    else if (of.kind === 'module') scripts.push(...(await moduleScripts(of, file, problems)))
    else if (text !== undefined) scripts.push(...singleScripts(of, file, problems))
  }
  return scripts
}

interface TextFile {
  readonly file: string
  readonly text: string
}

function sqlScript(of: SqlName, { file, text }: TextFile, problems: Problem[]): NamedScript {
  if (holdsBothDirections(text)) {
    problems.push({ message: `${of.file}: it holds the down as well as the up; call it ${of.digits}_${of.name}.sql` })
  }
  return { of, kind: of.script, script: { ...scriptOf({ file, text }, problems), variant: of.variant } }
}

function singleScripts(of: SingleName, { file, text }: TextFile, problems: Problem[]): readonly NamedScript[] {
  const read = readSingleFile(file, text)
  if (!read) problems.push({ message: `${of.file}: ${of.otherwise}` })
  problems.push(...(read?.problems ?? []))
  return (read?.sections ?? []).map((section) => {
    const script = scriptOf({ file, text: section.text }, problems)
    return { of, kind: section.direction, script: { ...script, directives: withSection(script.directives, section) } }
  })
}

function scriptOf({ file, text }: TextFile, problems: Problem[]): Script {
  const parsed = parseDirectives(file, text)
  problems.push(...parsed.problems)
  return { file, text, checksum: textChecksum(text), variant: null, directives: parsed.directives }
}

/** Undefined when the file cannot be read or holds something that is no text. */
function textOf(name: string, file: string, content: FileContent, problems: Problem[]): string | undefined {
  if ('error' in content) {
    problems.push({ message: `${name}: ${content.error.message}` })
    return undefined
  }
  const { text } = content
  if (text === undefined) problems.push({ message: `${name}: the file is not UTF-8 text` })
  const nul = text?.indexOf('\0') ?? -1
  if (text !== undefined && nul >= 0) {
    problems.push({ message: 'a NUL character stands here, which no text holds', location: locate(file, text, nul) })
  }
  return nul >= 0 ? undefined : text
}

async function moduleScripts(of: ModuleName, text: TextFile, problems: Problem[]): Promise<readonly NamedScript[]> {
  const script = scriptOf(text, problems)
  const functions = await loadFunctions(script.file, problems)
  return scriptKinds.flatMap((kind) => {
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
    return Object.fromEntries(scriptKinds.filter(isFunction).map((kind) => [kind, loaded[kind] as MigrationFunction]))
  } catch (error) {
    problems.push({ message: `${basename(file)}: ${error instanceof Error ? error.message : String(error)}` })
    return {}
  }
}

function assemble(scripts: readonly NamedScript[], problems: Problem[]): readonly Migration[] {
  const versions = new Map<number, NamedScript[]>()
  for (const script of scripts) {
    const forms = versions.get(script.of.version)
    if (forms) forms.push(script)
    else versions.set(script.of.version, [script])
  }
  return [...versions.values()]
    .map((forms) => assembleOne(forms, problems))
    .filter((migration) => migration !== undefined)
    .sort((a, b) => a.version - b.version)
}

/** What belongs together is told by the version; the name is that of the up. */
function assembleOne(forms: readonly NamedScript[], problems: Problem[]): Migration | undefined {
  const up = forms.find((form) => form.kind === 'up')
  const { of } = up ?? forms[0] ?? {}
  if (!of) return undefined
  problems.push(...rivals(forms))
  const pick = (kind: ScriptKind) => forms.filter((form) => form.kind === kind).map((form) => form.script)
  const id = `${of.digits}_${of.name}`
  if (!up && of.kind === 'sql') problems.push({ message: `${of.file}: there is no ${id}.up.sql beside it` })
  return { version: of.version, name: of.name, id, up: pick('up'), down: pick('down'), verify: pick('verify') }
}

/** Two files that would be the same form of one version, or two names for its ups: which one is meant nobody can tell. */
function rivals(forms: readonly NamedScript[]): readonly Problem[] {
  const [twin, first] = rivalPair(forms) ?? []
  if (!twin || !first) return []
  return [{ message: `version ${first.of.version} exists twice: ${first.of.file} and ${twin.of.file}` }]
}

function rivalPair(forms: readonly NamedScript[]): readonly [NamedScript, NamedScript] | undefined {
  for (const [i, form] of forms.entries()) {
    const rival = forms.slice(0, i).find((other) => isRival(form, other))
    if (rival) return [form, rival]
  }
  return undefined
}

function isRival(a: NamedScript, b: NamedScript): boolean {
  if (a.kind !== b.kind) return false
  return a.script.variant === b.script.variant || a.of.name !== b.of.name || a.of.digits !== b.of.digits
}
