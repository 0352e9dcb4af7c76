import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { UsageError } from './errors.js'

/** The names a configuration file may have, in the order they are looked for. */
export const configFileNames = ['obs.config.ts', 'obs.config.js', 'obs.config.mjs', 'obs.config.json'] as const

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export const logFormats = ['pretty', 'json'] as const

/** PostgreSQL cuts identifiers at 63 bytes. */
const identifier = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= 63, 'must be at most 63 bytes long')

const packSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be lower case letters, digits, - and _'),
  migrations: z.string().min(1),
  schema: identifier.default('public'),
})

/** What `obs.config.*` may hold. */
export const configSchema = z.strictObject({
  databaseUrl: z.string().optional(),
  pack: z.string().optional(),
  packs: z
    .array(packSchema)
    .refine((packs) => new Set(packs.map((pack) => pack.name)).size === packs.length, 'two packs share a name')
    .default([]),
  backups: z.string().min(1).optional(),
  stateDirectory: z.string().min(1).optional(),
  workspace: z.uuid().optional(),
  logLevel: z.enum(logLevels).optional(),
  logFormat: z.enum(logFormats).optional(),
})

export type ConfigFileContent = z.infer<typeof configSchema>
/** What a person writes in `obs.config.ts`: `export default { … } satisfies ObsConfig`. */
export type ObsConfig = z.input<typeof configSchema>

export interface ConfigFile {
  /** Absolute path, or undefined when there is no file. */
  readonly path: string | undefined
  /** The folder that relative paths in the file start from. */
  readonly folder: string
  readonly content: ConfigFileContent
}

/**
 * Finds and reads the configuration file.
 *
 * Without `named`, the first file found in `start` or a folder above it is taken.
 *
 * @throws UsageError that lists every problem of the file at once.
 */
export async function readConfigFile(start: string, named?: string): Promise<ConfigFile> {
  const path = named === undefined ? findUpwards(start) : resolve(start, named)
  if (path === undefined) return { path: undefined, folder: start, content: configSchema.parse({}) }
  if (!existsSync(path)) {
    throw new UsageError(`--config names ${path}, which does not exist`, {
      code: 'config_not_found',
      details: { path },
    })
  }
  const parsed = configSchema.safeParse(await load(path))
  if (parsed.success) return { path, folder: dirname(path), content: parsed.data }
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(file)'}: ${issue.message}`)
  throw new UsageError(
    `${path} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    {
      code: 'invalid_config',
      hint: 'See docs/configuration.md for what the file may hold.',
      details: { path, problems },
    },
  )
}

function findUpwards(folder: string): string | undefined {
  for (const name of configFileNames) {
    if (existsSync(join(folder, name))) return join(folder, name)
  }
  const parent = dirname(folder)
  return parent === folder ? undefined : findUpwards(parent)
}

async function load(path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(await readFile(path, 'utf8'))
    const { createJiti } = await import('jiti')
    return await createJiti(path).import(path, { default: true })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`${path} cannot be read: ${reason}`, { code: 'invalid_config', cause, details: { path } })
  }
}
