import { resolve } from 'node:path'
import { z } from 'zod'
import { type ConfigFile, logFormats, logLevels, readConfigFile } from './config-file.js'
import { addressFromPgVariables, parseDatabaseUrl, type ServerAddress } from './database/address.js'
import { UsageError } from './errors.js'
import { type Pack, resolvePack } from './packs.js'

/** The global flags, as commander hands them over. */
export interface GlobalFlags {
  readonly databaseUrl?: string
  readonly config?: string
  readonly pack?: string
  readonly json?: boolean
  readonly logLevel?: string
  readonly logFormat?: string
  /** False with --no-color. */
  readonly color?: boolean
  readonly yes?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/** The server a command works on: the one obs starts itself, or one that somebody named. */
export type Target = { readonly kind: 'embedded' } | { readonly kind: 'server'; readonly address: ServerAddress }

/** Everything a command may need to know about its surroundings, validated. */
export interface Settings {
  readonly configFile: string | undefined
  readonly target: Target
  readonly pack: Pack
  /** Absolute folder for backups. */
  readonly backups: string
  /** Absolute folder of the embedded server, normally `.obs`. */
  readonly stateDirectory: string
  /** The workspace that seeding and queries use unless a flag says otherwise. */
  readonly workspace: string | undefined
  readonly logLevel: (typeof logLevels)[number]
  readonly logFormat: (typeof logFormats)[number]
}

const environmentSchema = z.object({
  DATABASE_URL: z.string().optional(),
  OBS_CONFIG: z.string().optional(),
  OBS_PACK: z.string().optional(),
  OBS_BACKUPS: z.string().optional(),
  OBS_STATE_DIR: z.string().optional(),
  OBS_WORKSPACE: z.uuid('is not a UUID').optional(),
  OBS_LOG_LEVEL: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).optional(),
  OBS_LOG_FORMAT: z.enum(logFormats, `must be one of ${logFormats.join(', ')}`).optional(),
})

const flagsSchema = z.object({
  logLevel: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).optional(),
  logFormat: z.enum(logFormats, `must be one of ${logFormats.join(', ')}`).optional(),
})

/**
 * Gathers the settings: flags win over the environment, the environment over the
 * configuration file, and the file over the defaults.
 *
 * @throws UsageError naming every flag and variable that cannot be used, all at once.
 */
export async function loadSettings(
  flags: GlobalFlags,
  environment: Readonly<NodeJS.ProcessEnv> = process.env,
  directory: string = process.cwd(),
): Promise<Settings> {
  const problems: string[] = []
  const variables = collect(environmentSchema.safeParse(withoutEmpty(environment)), problems, (name) => name)
  const chosen = collect(flagsSchema.safeParse(flags), problems, flagName)
  if (problems.length > 0 || !variables || !chosen) {
    throw new UsageError(problems.join('\n'), { code: 'invalid_settings', details: { problems } })
  }

  const file = await readConfigFile(directory, flags.config ?? variables.OBS_CONFIG)
  const { content, folder } = file
  const inFolder = (path: string | undefined, fallback: string) => resolve(folder, path ?? fallback)
  const named = (path: string | undefined) => (path === undefined ? undefined : resolve(directory, path))
  return {
    configFile: file.path,
    target: chooseTarget(flags, variables.DATABASE_URL, environment, file),
    pack: resolvePack(flags.pack ?? variables.OBS_PACK ?? content.pack, content.packs, folder),
    backups: named(variables.OBS_BACKUPS) ?? inFolder(content.backups, 'backups'),
    stateDirectory: named(variables.OBS_STATE_DIR) ?? inFolder(content.stateDirectory, '.obs'),
    workspace: variables.OBS_WORKSPACE ?? content.workspace,
    logLevel: chosen.logLevel ?? variables.OBS_LOG_LEVEL ?? content.logLevel ?? logLevelOf(flags),
    logFormat: chosen.logFormat ?? variables.OBS_LOG_FORMAT ?? content.logFormat ?? 'pretty',
  }
}

function chooseTarget(
  flags: GlobalFlags,
  databaseUrl: string | undefined,
  environment: Readonly<NodeJS.ProcessEnv>,
  file: ConfigFile,
): Target {
  if (flags.databaseUrl !== undefined) return server(parseDatabaseUrl(flags.databaseUrl, '--database-url'))
  if (databaseUrl !== undefined) return server(parseDatabaseUrl(databaseUrl, 'DATABASE_URL'))
  const fromVariables = addressFromPgVariables(environment)
  if (fromVariables) return server(fromVariables)
  if (file.content.databaseUrl !== undefined) {
    return server(parseDatabaseUrl(file.content.databaseUrl, `databaseUrl in ${file.path}`))
  }
  return { kind: 'embedded' }
}

function server(address: ServerAddress): Target {
  return { kind: 'server', address }
}

function logLevelOf(flags: GlobalFlags): (typeof logLevels)[number] {
  if (flags.quiet) return 'error'
  return flags.verbose ? 'debug' : 'info'
}

function collect<T>(
  result: z.ZodSafeParseResult<T>,
  problems: string[],
  nameOf: (key: string) => string,
): T | undefined {
  if (result.success) return result.data
  problems.push(...result.error.issues.map((issue) => `${nameOf(issue.path.join('.'))} ${issue.message}`))
  return undefined
}

/** An empty variable counts as unset, as it does for libpq. */
function withoutEmpty(environment: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
