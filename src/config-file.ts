import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { backupSchema } from './backup-settings.js'
import { defineConfig } from './define-config.js'
import { UsageError } from './errors.js'
import type { SeedPlanInput, SeedSpec } from './generators/library/spec.js'
import { nearest } from './suggest.js'

/** The names a configuration file may have, in the order they are looked for. */
export const configFileNames = ['obs.config.ts', 'obs.config.js', 'obs.config.mjs', 'obs.config.json'] as const

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
export const logFormats = ['pretty', 'json'] as const

/** PostgreSQL cuts identifiers at 63 bytes. */
export const identifier = z
  .string()
  .min(1, 'must not be empty')
  .refine((name) => Buffer.byteLength(name) <= 63, 'must be at most 63 bytes long')
  .refine((name) => !name.includes('\0'), 'must not hold a NUL character')

/** Whatever PostgreSQL takes for a uuid in its usual form, not only those of an RFC version. */
export const workspaceId = z.guid('is not a UUID').transform((id) => id.toLowerCase())

/** What `obs.config.*` may hold. */
function configSchemaWith<Seed extends z.ZodType>(seed: Seed) {
  const packSchema = z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be lower case letters, digits, - and _'),
    migrations: z.string().min(1),
    schema: identifier.default('public'),
    historySchema: identifier.default('obs'),
    seed: seed.optional(),
  })
  return z.strictObject({
    databaseUrl: z.string().optional(),
    pack: z.string().optional(),
    packs: z
      .array(packSchema)
      .refine((packs) => new Set(packs.map((pack) => pack.name)).size === packs.length, 'two packs share a name')
      .default([]),
    backups: z.string().min(1).optional(),
    backup: backupSchema.optional(),
    stateDirectory: z.string().min(1).optional(),
    workspace: workspaceId.optional(),
    logLevel: z.enum(logLevels).optional(),
    logFormat: z.enum(logFormats).optional(),
  })
}

type ConfigSchema<Output, Input> = ReturnType<typeof configSchemaWith<z.ZodType<Output, Input>>>

export type ConfigFileContent = z.output<ConfigSchema<SeedSpec, SeedPlanInput>>
/** What a person writes in `obs.config.ts`, see `defineConfig`. */
export type ObsConfig = z.input<ConfigSchema<SeedSpec, SeedPlanInput>>

/** Describing generated data takes a library of generators, which is loaded only for a file that does. */
async function configSchemaFor(content: unknown): Promise<ConfigSchema<SeedSpec, unknown>> {
  if (!describesSeed(content)) return configSchemaWith(z.never() as unknown as z.ZodType<SeedSpec>)
  const { seedSchema } = await import('./generators/library/spec.js')
  return configSchemaWith(seedSchema)
}

function describesSeed(content: unknown): boolean {
  const { packs } = z
    .object({ packs: z.array(z.looseObject({})) })
    .catch({ packs: [] })
    .parse(content)
  return packs.some(({ seed }) => seed !== undefined)
}

export interface ConfigFile {
  /** Absolute path, or undefined when there is no file. */
  readonly path: string | undefined
  /** The folder that relative paths in the file start from. */
  readonly folder: string
  readonly content: ConfigFileContent
}

/** A file that somebody named, and where. */
export interface NamedFile {
  readonly path: string
  readonly source: string
}

/**
 * Finds and reads the configuration file.
 *
 * Without `named`, the first file found in `start` or a folder above it is taken.
 *
 * @throws UsageError that lists every problem of the file at once, and never quotes a value.
 */
export async function readConfigFile(start: string, named?: NamedFile): Promise<ConfigFile> {
  const path = named === undefined ? findUpwards(start) : resolve(start, named.path)
  if (path === undefined) return { path: undefined, folder: start, content: (await configSchemaFor({})).parse({}) }
  if (named && !existsSync(path)) {
    throw new UsageError(`${named.source} names ${path}, which does not exist`, {
      code: 'config_not_found',
      hint: 'Name a file that exists, or leave it away to have obs.config.{ts,js,mjs,json} looked for.',
      details: { path, source: named.source },
    })
  }
  const content = await load(path)
  const schema = await configSchemaFor(content)
  const parsed = schema.safeParse(content)
  if (parsed.success) return { path, folder: dirname(path), content: parsed.data }
  const problems = parsed.error.issues.flatMap((issue) => describeIssue(issue, schema))
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  throw new UsageError([`${path} has ${count}:`, ...problems.map((problem) => `  ${problem}`)].join('\n'), {
    code: 'invalid_config',
    hint: 'See docs/configuration.md for what the file may hold.',
    details: { path, problems },
  })
}

function findUpwards(folder: string): string | undefined {
  for (const name of configFileNames) {
    if (existsSync(join(folder, name))) return join(folder, name)
  }
  const parent = dirname(folder)
  return parent === folder ? undefined : findUpwards(parent)
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType): readonly string[] {
  const where = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return [`${where || '(file)'}: ${issue.message}`]
  const known = namesAt(schema, issue.path)
  return issue.keys.map((key) => {
    const guess = nearest(key, known)
    return `${[...issue.path, key].join('.')}: is not a setting${guess ? `, did you mean ${guess}?` : ''}`
  })
}

/** The names that an entry of a schema may have; none where that depends on more than the place. */
function namesAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return namesAt(schema.unwrap(), path)
  const [first, ...rest] = path
  if (schema instanceof z.ZodArray) return namesAt(schema.element, rest)
  if (schema instanceof z.ZodRecord) return namesAt(schema.valueType, rest)
  if (!(schema instanceof z.ZodObject)) return []
  const shape = schema.shape as Readonly<Record<string, z.core.$ZodType>>
  if (first === undefined) return Object.keys(shape)
  const next = shape[String(first)]
  return next ? namesAt(next, rest) : []
}

async function load(path: string): Promise<unknown> {
  if (path.endsWith('.json')) return parseJson(path, await reading(path, () => readFile(path, 'utf8')))
  return reading(path, async () => {
    const { createJiti } = await import('jiti')
    // A file may import `defineConfig` whether or not obs is installed beside it.
    const virtualModules = { 'obs/config': { defineConfig } }
    return createJiti(path, { virtualModules }).import(path, { default: true })
  })
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw unreadable(path, reason, cause)
  }
}

/** Node quotes the text around the mistake, which may be a password: only the place is kept. */
function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    const [, position] = /at position (\d+)/.exec(cause instanceof Error ? cause.message : '') ?? []
    const before = text.slice(0, Number(position ?? 0)).split('\n')
    const place = position ? ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})` : ''
    throw unreadable(path, `it is not valid JSON${place}`, undefined)
  }
}

function unreadable(path: string, reason: string, cause: unknown): UsageError {
  return new UsageError(`${path} cannot be read: ${reason}`, {
    code: 'invalid_config',
    hint: 'Correct the file; docs/configuration.md has an example.',
    cause,
    details: { path },
  })
}
