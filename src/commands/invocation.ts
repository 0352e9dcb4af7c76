import type { Command } from 'commander'
import { type GlobalFlags, loadSettings, type Settings } from '../config.js'
import type { RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import { type ConnectOptions, type Database, withDatabase } from '../database/connect.js'
import { startServer } from '../database/embedded/server.js'
import { ObsError, UsageError } from '../errors.js'
import { createLogger, type Logger } from '../terminal/logger.js'
import { createProgress } from '../terminal/progress.js'
import { createStyle, type Style } from '../terminal/style.js'
import { detectTerminal, type Terminal } from '../terminal/terminal.js'
import { interruption } from './interruption.js'

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
  /** Loaded when first asked for, because most commands have nothing to log. */
  logger(): Promise<Logger>
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
    const terminal = detectTerminal(options)
    const style = createStyle(terminal.color)
    const progress = await createProgress(terminal, style, options.quiet === true)
    let logger: Promise<Logger> | undefined
    const invocation: Invocation<Options> = {
      options,
      settings,
      context: { progress, signal: interruption.signal },
      terminal,
      style,
      logger: () => {
        logger ??= createLogger(settings.logLevel, settings.logFormat, terminal.color)
        return logger
      },
      answer: ({ json, text }) => void process.stdout.write(`${options.json ? JSON.stringify(json, null, 2) : text}\n`),
      confirm: (question) => confirm(question, options, terminal),
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
    const reply = await reader.question(`${question} [y/N] `, { signal: interruption.signal })
    if (/^y(es)?$/i.test(reply.trim())) return
  } finally {
    reader.close()
  }
  throw new ObsError('not confirmed; nothing was changed', { code: 'not_confirmed' })
}
