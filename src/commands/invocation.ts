import type { Command } from 'commander'
import { type GlobalFlags, loadSettings, type Settings } from '../config.js'
import type { RunContext } from '../context.js'
import { describeAddress, type ServerAddress } from '../database/address.js'
import { type ConnectOptions, type Database, withDatabase } from '../database/connect.js'
import { startServer } from '../database/embedded/server.js'
import { InterruptedError, ObsError, UsageError } from '../errors.js'
import { createProgress, type Log } from '../terminal/progress.js'
import { createStyle, type Style } from '../terminal/style.js'
import { detectTerminal, type Terminal } from '../terminal/terminal.js'
import { interruption } from './interruption.js'
import { reporting } from './reporting.js'

/** An answer in its two forms: `--json` prints `json`, a person reads `text`. */
export interface Answer {
  readonly json: unknown
  readonly text: string
}

/** What every command is given besides its own arguments. */
export interface Invocation<Options> {
  readonly options: Options & GlobalFlags
  readonly settings: Settings
  readonly context: RunContext
  readonly terminal: Terminal
  readonly style: Style
  /** Prints the command's answer on stdout. */
  answer(answer: Answer): void
  /** Asks a yes/no question; `--yes` answers it, and without a terminal it is refused. */
  confirm(question: string): Promise<void>
}

/**
 * Wraps a command's work as a commander action.
 *
 * Settings are loaded before, the progress display is closed after, and whatever is
 * thrown goes up to cli.ts, the one place that turns errors into exit codes.
 */
export function action<Options, Arguments extends unknown[]>(
  work: (invocation: Invocation<Options>, ...operands: Arguments) => Promise<void>,
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    const command = parameters.at(-1) as Command
    const operands = parameters.slice(0, -2) as Arguments
    const options = command.optsWithGlobals() as Options & GlobalFlags
    const settings = await loadSettings(options)
    reporting.logFormat = settings.logFormat
    const terminal = detectTerminal(options)
    const style = createStyle(terminal.color)
    const progress = await createProgress(terminal, settings.logLevel, await openLog(settings, terminal))
    const invocation: Invocation<Options> = {
      options,
      settings,
      context: { progress, signal: interruption.signal },
      terminal,
      style,
      answer: ({ json, text }) => {
        // The last step is over; its line belongs above the answer.
        progress.done()
        process.stdout.write(`${options.json ? JSON.stringify(json, null, 2) : text}\n`)
      },
      confirm: (question) => {
        // A spinner would write over the question.
        progress.done()
        return confirm(question, options, terminal)
      },
    }
    try {
      await work(invocation, ...operands)
      progress.done()
    } catch (error) {
      progress.fail()
      throw error
    }
  }
}

/**
 * Says in detail what the run works on, where somebody wants to know, and gives the log that
 * progress goes to when it is read by a machine. The logger is not loaded for anything else.
 */
async function openLog(settings: Settings, { errorColor }: Terminal): Promise<Log | undefined> {
  const { configFile, target, pack, logLevel, logFormat } = settings
  const json = logFormat === 'json'
  if (!json && logLevel !== 'debug' && logLevel !== 'trace') return undefined
  const { createLogger } = await import('../terminal/logger.js')
  const logger = await createLogger(logLevel, logFormat, errorColor)
  const database =
    target.kind === 'server' ? describeAddress(target.address) : `embedded, in ${settings.stateDirectory}`
  logger.debug({ database, pack: pack.name, migrations: pack.migrations, configFile }, 'settings')
  return json ? logger : undefined
}

/** Opens the database that the settings name, starting the embedded server when it is meant. */
export async function withTarget<T>(
  invocation: Invocation<unknown>,
  work: (database: Database) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const address = await targetAddress(invocation)
  return withDatabase(address, invocation.context, work, options)
}

/** The address that the settings name; starts the embedded server when it is meant. */
export async function targetAddress({ settings, context }: Invocation<unknown>): Promise<ServerAddress> {
  if (settings.target.kind === 'server') return settings.target.address
  return startServer(settings.stateDirectory, context)
}

async function confirm(question: string, flags: GlobalFlags, terminal: Terminal): Promise<void> {
  if (flags.yes) return
  if (!terminal.canAsk) {
    throw new UsageError(`this needs an answer: ${question}`, {
      code: 'confirmation_needed',
      hint: 'Run it again with --yes to answer yes; nothing was changed.',
    })
  }
  const { createInterface } = await import('node:readline/promises')
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const asked = reader.question(`${question} [y/N] `, { signal: interruption.signal })
    const reply = await asked.catch((cause: unknown) => {
      throw new InterruptedError('interrupted before there was an answer; nothing was changed', { cause })
    })
    if (/^y(es)?$/i.test(reply.trim())) return
  } finally {
    reader.close()
  }
  throw new ObsError('not confirmed; nothing was changed', { code: 'not_confirmed' })
}
