import { Command, CommanderError, type Help } from 'commander'
import { interruption } from './commands/interruption.js'
import { reporting } from './commands/reporting.js'
import { exitCodes, InterruptedError, ObsError, UsageError } from './errors.js'
import { obsVersion } from './package.js'
import { redactUrls } from './secret.js'
import { nearest } from './suggest.js'

interface Entry {
  readonly name: string
  readonly summary: string
  /** Loads the module that builds the command; nothing of a command is loaded before it is asked for. */
  load(): Promise<Command>
}

const registry: readonly Entry[] = [
  entry('migrate', 'apply, revert and inspect migrations', async () =>
    (await import('./commands/migrate/index.js')).migrateCommand(),
  ),
  entry('backup', 'create, list and restore checked backups', async () =>
    (await import('./commands/backup/index.js')).backupCommand(),
  ),
  entry('seed', 'fill the database with believable agent traces', async () =>
    (await import('./commands/seed/index.js')).seedCommand(),
  ),
  entry('validate', 'check schema, integrity, distributions and preservation', async () =>
    (await import('./commands/validate.js')).validateCommand(),
  ),
  entry('query', 'answer KPI questions, read-only', async () => (await import('./commands/query.js')).queryCommand()),
  entry('schema', 'inspect a schema, compare two, find drift', async () =>
    (await import('./commands/schema/index.js')).schemaCommand(),
  ),
  entry('db', 'run the embedded PostgreSQL server', async () => (await import('./commands/db/index.js')).dbCommand()),
  entry('demo', 'everything once, on the embedded server', async () =>
    (await import('./commands/demo/index.js')).demoCommand(),
  ),
  entry('doctor', 'show what is installed, reachable and missing, with the remedy', async () =>
    (await import('./commands/doctor.js')).doctorCommand(),
  ),
]

function entry(name: string, summary: string, load: () => Promise<Command>): Entry {
  return { name, summary, load }
}

/**
 * Runs the program on the arguments after the executable's name.
 *
 * @returns the exit code; nothing below this function ends the process.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const stopListening = listenForInterrupts()
  reporting.logFormat = askedFormat(argv)
  try {
    const program = await buildProgram(argv)
    const asked = program.parseOptions([...argv]).operands
    if (asked[0] === 'help') showHelp(program, asked.slice(1))
    else await program.parseAsync(argv, { from: 'user' })
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.done
  } catch (error) {
    return await report(error, {
      json: argv.includes('--json'),
      stack: argv.includes('--verbose') || argv.includes('-v'),
    })
  } finally {
    stopListening()
  }
}

/** What the flag or the environment says, until the settings are read. */
function askedFormat(argv: readonly string[]): 'pretty' | 'json' {
  const flag = argv.findLastIndex((word) => word === '--log-format' || word.startsWith('--log-format='))
  const word = argv[flag] ?? ''
  const value = flag < 0 ? process.env['OBS_LOG_FORMAT'] : word.includes('=') ? word.split('=')[1] : argv[flag + 1]
  return value === 'json' ? 'json' : 'pretty'
}

/** `obs help migrate up` shows the help of exactly that command. */
function showHelp(program: Command, path: readonly string[]): void {
  let command = program
  for (const name of path) {
    const next = command.commands.find((candidate) => candidate.name() === name)
    if (!next) throw unknownCommand(command, name)
    command = next
  }
  command.outputHelp()
}

function unknownCommand(group: Command, name: string): UsageError {
  const names = group.commands.map((command) => command.name())
  const guess = nearest(name, names)
  return new UsageError(`unknown command ${JSON.stringify(name)}${guess ? `, did you mean ${guess}?` : ''}`, {
    code: 'unknown_command',
    hint: names.length > 0 ? `Name one of ${names.join(', ')}.` : `${group.name()} has no commands of its own.`,
    details: { command: name },
  })
}

/** The program with the one command that `argv` asks for loaded, the others as names and summaries. */
async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('obs')
    .description('Schema migrations, proven backups, synthetic traces, validation and KPIs for PostgreSQL.')
    .option('--database-url <url>', 'the database to work on (else DATABASE_URL, PG*, config file, embedded server)')
    .option('--config <file>', 'configuration file (default: obs.config.{ts,js,json} here or above)')
    .option('--pack <name>', 'which pack of the configuration to use')
    .option('--history-schema <name>', 'the schema that the migration history is kept in (default: obs)')
    .option('--json', 'print one JSON document on stdout and nothing else')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .option('--log-format <format>', 'pretty or json')
    .option('--no-color', 'never use colour (NO_COLOR does the same)')
    .option('-y, --yes', 'answer yes to every question')
    .option('-q, --quiet', 'print the answer and nothing else')
    .option('-v, --verbose', 'say more')
    .addHelpText('after', generalHelp)
  harden(program)
  const asked = program.parseOptions([...argv]).operands
  const wanted = asked[0] === 'help' ? asked[1] : asked[0]
  for (const { name, summary, load } of registry) {
    const command = name === wanted ? await load() : new Command(name)
    program.addCommand(command.summary(summary).description(command.description() || summary))
  }
  program.version(obsVersion(), versionFlags(program, wanted), 'print the version')
  for (const command of everyCommand(program)) harden(command)
  return program
}

/** A command may have a --version of its own (`obs query` filters by it); then -V alone prints ours. */
function versionFlags(program: Command, wanted: string | undefined): string {
  const command = program.commands.find((candidate) => candidate.name() === wanted)
  return command?.options.some((option) => option.long === '--version') ? '-V' : '-V, --version'
}

const generalHelp = `
Examples:
  $ obs demo                                    see everything once, no database needed
  $ obs migrate up                              back up, then apply what is pending
  $ obs seed --days 90                          ninety days of agent traces
  $ obs validate --format junit --output report.xml
  $ obs query home-kpis --range 30d --department engineering

Exit codes:
  0 done   1 what was asked failed   2 usage or configuration   3 cannot connect
  4 lock not to be had in time   5 history is dirty   130 interrupted`

/** Errors are thrown rather than printed, and help keeps its shape whatever the terminal. */
function harden(command: Command): void {
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ sortSubcommands: false, subcommandTerm: (sub: Command) => termOf(sub) } satisfies Partial<Help>)
}

function termOf(command: Command): string {
  const operands = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  )
  return [command.name(), ...operands].join(' ')
}

function* everyCommand(command: Command): Iterable<Command> {
  for (const child of command.commands) {
    yield child
    yield* everyCommand(child)
  }
}

/** The first Ctrl-C or SIGTERM asks the engines to stop and clean up; the second ends the process at once. */
function listenForInterrupts(): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    if (interruption.signal.aborted) process.exit(exitCodes.interrupted)
    process.stderr.write(
      `\n${signal === 'SIGINT' ? 'Ctrl-C' : signal}: stopping and cleaning up (again to stop at once)\n`,
    )
    interruption.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function report(
  thrown: unknown,
  { json, stack }: { readonly json: boolean; readonly stack: boolean },
): Promise<number> {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.done
  if (isHelp(thrown) && !json && reporting.logFormat === 'pretty') return exitCodes.usage
  const error = asObsError(thrown)
  const { code, message, hint, details } = error
  if (json) {
    process.stdout.write(`${JSON.stringify({ error: { code, message, hint, details } }, redacted, 2)}\n`)
  }
  if (reporting.logFormat === 'json') {
    const facts = { code, hint, details, exit_code: error.exitCode, ...(stack ? { stack: stackOf(thrown) } : {}) }
    const safe = JSON.parse(JSON.stringify(facts, redacted)) as Readonly<Record<string, unknown>>
    const { errorLine } = await import('./terminal/logger.js')
    process.stderr.write(await errorLine(safe, redactUrls(message)))
    return error.exitCode
  }
  if (!json) {
    process.stderr.write(redactUrls(`error: ${message}\n${hint ? `hint: ${hint}\n` : ''}`))
  }
  if (stack) process.stderr.write(`${redactUrls(stackOf(thrown))}\n`)
  return error.exitCode
}

/** A command that only groups others was named alone, and its help has been shown on stderr. */
function isHelp(thrown: unknown): boolean {
  return thrown instanceof CommanderError && thrown.code === 'commander.help'
}

function redacted(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? redactUrls(value) : value
}

function asObsError(thrown: unknown): ObsError {
  if (thrown instanceof InterruptedError) return thrown
  if (interruption.signal.aborted) return interrupted(thrown)
  if (thrown instanceof ObsError) return thrown
  if (thrown instanceof CommanderError) return fromCommander(thrown)
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown))
  return new ObsError(cause.message, {
    code: 'unexpected',
    cause,
    hint: 'Run it again with --verbose for the stack, and report it if it is not the database speaking.',
    details: { name: cause.name, ...('code' in cause ? { code: cause.code } : {}) },
  })
}

/** After Ctrl-C the sessions of the run were ended, so whatever else was thrown is only the echo of that. */
function interrupted(cause: unknown): InterruptedError {
  return new InterruptedError('interrupted; what was in progress was rolled back', {
    cause,
    hint: 'Run the same command again, or obs migrate status to see where the database stands.',
  })
}

function fromCommander(error: CommanderError): UsageError {
  if (isHelp(error)) {
    return new UsageError('no command was named', {
      code: 'no_command',
      hint: 'Run it with --help to see what there is.',
    })
  }
  const [message = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = rest.join(' ').replace(/^\(|\)$/g, '')
  return new UsageError(message, {
    hint: suggestion || 'Run obs --help to see what there is.',
    details: { reason: error.code },
  })
}

/** The stack of an error and of everything that caused it. */
function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const own = thrown.stack ?? thrown.message
  return thrown.cause === undefined ? own : `${own}\ncaused by: ${stackOf(thrown.cause)}`
}
