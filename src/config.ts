import { resolve } from 'node:path'
import { z } from 'zod'
import { type BackupSettings, backupSettings } from './backup-settings.js'
import {
  type ConfigFile,
  identifier,
  type LogLevel,
  logFormats,
  logLevels,
  readConfigFile,
  workspaceId,
} from './config-file.js'
import { addressFromPgVariables, parseDatabaseUrl, type ServerAddress } from './database/address.js'
import { UsageError } from './errors.js'
import { type Pack, resolvePack } from './packs.js'

/** The global flags, as commander hands them over. */
export interface GlobalFlags {
  readonly databaseUrl?: string
  readonly config?: string
  readonly pack?: string
  readonly historySchema?: string
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
  readonly backup: BackupSettings
  /** Absolute folder of the embedded server, normally `.obs`. */
  readonly stateDirectory: string
  /** The workspace that seeding and queries use unless a flag says otherwise. */
  readonly workspace: string | undefined
  readonly logLevel: LogLevel
  readonly logFormat: (typeof logFormats)[number]
}

const level = z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).optional()
const format = z.enum(logFormats, `must be one of ${logFormats.join(', ')}`).optional()

const environmentSchema = z.object({
  OBS_BACKUPS: z.string().optional(),
  OBS_STATE_DIR: z.string().optional(),
  OBS_WORKSPACE: workspaceId.optional(),
  OBS_HISTORY_SCHEMA: identifier.optional(),
  OBS_LOG_LEVEL: level,
  OBS_LOG_FORMAT: format,
})

const flagsSchema = z.object({ historySchema: identifier.optional(), logLevel: level, logFormat: format })

type Environment = Readonly<NodeJS.ProcessEnv>

/**
 * Gathers the settings: flags win over the environment, the environment over the
 * configuration file, and the file over the defaults.
 *
 * @throws UsageError naming every flag, variable and entry of the file that cannot be
 *   used, all at once and each with where it came from.
 */
export async function loadSettings(
  flags: GlobalFlags,
  environment: Environment = process.env,
  directory: string = process.cwd(),
): Promise<Settings> {
  const problems: UsageError[] = []
  const said = withoutEmpty(environment)
  const chosen = await attempt(problems, () => parse(flagsSchema, flags, flagName))
  const variables = await attempt(problems, () => parse(environmentSchema, said, (name) => name))
  const file = await attempt(problems, () => findConfigFile(flags, said, directory))
  const target = await attempt(problems, () => chooseTarget(flags, said, file))
  // Without the file nobody knows which packs there are.
  const pack = file && (await attempt(problems, () => choosePack(flags, said, file)))
  const backup = file && (await attempt(problems, () => backupSettings(file.content.backup, file.folder)))
  if (!chosen || !variables || !file || !target || !pack || !backup) throw together(problems)

  const { content, folder } = file
  const historySchema = chosen.historySchema ?? variables.OBS_HISTORY_SCHEMA
  const inFolder = (path: string | undefined, fallback: string) => resolve(folder, path ?? fallback)
  const named = (path: string | undefined) => (path === undefined ? undefined : resolve(directory, path))
  return {
    configFile: file.path,
    target,
    pack: historySchema === undefined ? pack : { ...pack, historySchema },
    backup,
    backups: named(variables.OBS_BACKUPS) ?? inFolder(content.backups, 'backups'),
    stateDirectory: named(variables.OBS_STATE_DIR) ?? inFolder(content.stateDirectory, '.obs'),
    workspace: variables.OBS_WORKSPACE ?? content.workspace,
    logLevel: chosen.logLevel ?? shortLevel(flags) ?? variables.OBS_LOG_LEVEL ?? content.logLevel ?? 'info',
    logFormat: chosen.logFormat ?? variables.OBS_LOG_FORMAT ?? content.logFormat ?? 'pretty',
  }
}

async function attempt<T>(problems: UsageError[], work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    problems.push(error)
    return undefined
  }
}

/** One problem is reported as it is, several as one error that lists them. */
function together(problems: readonly UsageError[]): UsageError {
  const [first, ...others] = problems
  if (first && others.length === 0) return first
  const messages = problems.map((problem) => problem.message)
  return new UsageError(messages.join('\n'), {
    code: 'invalid_settings',
    hint: 'See docs/configuration.md for what each setting may be.',
    details: { problems: messages },
  })
}

function parse<T>(schema: z.ZodType<T>, input: unknown, nameOf: (key: string) => string): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => `${nameOf(issue.path.join('.'))} ${issue.message}`)
  throw new UsageError(problems.join('\n'), { code: 'invalid_settings', details: { problems } })
}

function findConfigFile(flags: GlobalFlags, environment: Environment, directory: string): Promise<ConfigFile> {
  if (flags.config !== undefined) return readConfigFile(directory, { path: flags.config, source: '--config' })
  const path = environment['OBS_CONFIG']
  return readConfigFile(directory, path === undefined ? undefined : { path, source: 'OBS_CONFIG' })
}

function chooseTarget(flags: GlobalFlags, environment: Environment, file: ConfigFile | undefined): Target {
  const named = [
    [flags.databaseUrl, '--database-url'],
    [environment['DATABASE_URL'], 'DATABASE_URL'],
  ] as const
  for (const [url, source] of named) {
    if (url !== undefined) return server(parseDatabaseUrl(url, source, environment))
  }
  const fromVariables = addressFromPgVariables(environment)
  if (fromVariables) return server(fromVariables)
  const url = file?.content.databaseUrl
  if (url !== undefined) return server(parseDatabaseUrl(url, `databaseUrl in ${file?.path}`, environment))
  return { kind: 'embedded' }
}

function choosePack(flags: GlobalFlags, environment: Environment, { content, folder, path }: ConfigFile): Pack {
  const { OBS_PACK } = environment
  if (flags.pack !== undefined) return resolvePack(flags.pack, content.packs, folder, '--pack')
  if (OBS_PACK !== undefined) return resolvePack(OBS_PACK, content.packs, folder, 'OBS_PACK')
  return resolvePack(content.pack, content.packs, folder, path)
}

function server(address: ServerAddress): Target {
  return { kind: 'server', address }
}

/** The level that --quiet and --verbose are short for. */
function shortLevel(flags: GlobalFlags): LogLevel | undefined {
  if (flags.quiet) return 'error'
  return flags.verbose ? 'debug' : undefined
}

/** An empty variable counts as unset, as it does for libpq. */
function withoutEmpty(environment: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
