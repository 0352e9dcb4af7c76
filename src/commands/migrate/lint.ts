import { relative, sep } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { exitCodes, UsageError } from '../../errors.js'
import type { LintOptions, LintResult } from '../../migrator/lint/lint-migrations.js'
import type { LintSeverity, Rule } from '../../migrator/lint/rule.js'
import type { Migration } from '../../migrator/migration.js'
import { obsVersion } from '../../package.js'
import { type LintFormat, lintFormat, lintFormats } from '../../reports/lint/formats.js'
import { lintJson } from '../../reports/lint/json.js'
import type { LintReport } from '../../reports/lint/report.js'
import { renderTable } from '../../terminal/table.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { answerReport, chooseOutput } from '../report-output.js'
import { parseVersion } from './flags.js'

interface LintFlags {
  readonly pending?: boolean
  readonly since?: number
  readonly connect?: boolean
  readonly serverVersion?: number
  readonly format?: LintFormat
  readonly output?: string
  readonly failOn: LintSeverity | 'never'
  readonly rules?: boolean
  readonly explain?: string
}

export function migrateLintCommand(): Command {
  return new Command('lint')
    .description('look for dangerous changes in migrations')
    .argument('[version...]', 'the migrations to look at (default: all)')
    .option('--since <version>', 'look at those above this version', parseVersion)
    .option('--pending', 'look at those that the database has not applied')
    .option('--connect', 'ask the database for its version, its tables and how many rows they hold')
    .option(
      '--server-version <version>',
      'state what this version of PostgreSQL does (default: 18)',
      parseServerVersion,
    )
    .option('--format <format>', `${lintFormats.map(({ name }) => name).join(', ')} (default: table)`, lintFormat)
    .option('--output <file>', 'write the report to a file as well, whole or not at all')
    .addOption(
      new Option('--fail-on <severity>', 'exit 1 from this severity on')
        .choices(['error', 'warning', 'notice', 'never'])
        .default('error'),
    )
    .option('--rules', 'list the rules and look at nothing')
    .option('--explain <rule>', 'say why a rule is there and how to silence it')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate lint                                  every migration, without a database
  $ obs migrate lint 7 8
  $ obs migrate lint --since 6 --format github        annotations in a pull request
  $ obs migrate lint --pending --connect              with the rows of the tables
  $ obs migrate lint --format sarif --output lint.sarif --fail-on never
  $ obs migrate lint --explain index-blocks-writes

Without a database every table that a migration finds is taken to be in use and to hold
rows. A comment silences a rule, for the statement below it, or above the first statement
for the file: -- obs: allow <rule> <reason>. Exits 1 when something is found that --fail-on
names, 2 when a flag or a file name cannot be used.`,
    )
    .action(action(runLint))
}

function parseServerVersion(text: string): number {
  const major = Number(/^(\d{2})(\.\d+)?$/.exec(text)?.[1])
  if (major >= 15 && major <= 18) return major * 10_000
  throw new InvalidArgumentError('It is 15, 16, 17 or 18.')
}

async function runLint(invocation: Invocation<LintFlags>, versions: readonly string[]): Promise<void> {
  const { options, settings } = invocation
  const { lintRules, lintRule } = await import('../../migrator/lint/rules.js')
  if (options.rules) return invocation.answer(rulesAnswer(lintRules))
  if (options.explain !== undefined) return invocation.answer(ruleAnswer(lintRule(options.explain)))
  refuseContradictions(options, versions)
  const output = await chooseOutput(options, lintFormat)
  const { discover } = await import('../../migrator/files/discover.js')
  const { lintMigrations } = await import('../../migrator/lint/lint-migrations.js')
  const migrations = await discover(settings.pack.migrations)
  const result = await lintMigrations(migrations, await chooseOptions(invocation, migrations, versions))
  const report = reportOf(result, lintRules)
  await answerReport(invocation, { report, json: lintJson(report), output, formatCalled: lintFormat })
  if (isGrave(result, options.failOn)) process.exitCode = exitCodes.failed
}

function refuseContradictions({ pending, since }: LintFlags, versions: readonly string[]): void {
  const ways = [versions.length > 0 && 'versions', since !== undefined && '--since', pending && '--pending'].filter(
    (way) => way !== false && way !== undefined,
  )
  if (ways.length < 2) return
  throw new UsageError(`${ways.join(' and ')} say two different things`, { hint: 'Use one of them.' })
}

/** What is looked at and what is known: from the flags, and from the database where it is asked. */
async function chooseOptions(
  invocation: Invocation<LintFlags>,
  migrations: readonly Migration[],
  versions: readonly string[],
): Promise<LintOptions> {
  const { since, pending, connect, serverVersion } = invocation.options
  const { chooseVersions } = await import('../../migrator/lint/choose-versions.js')
  const chosen = chooseVersions(migrations, { versions, ...(since === undefined ? {} : { since }) })
  const named = {
    ...(serverVersion === undefined ? {} : { serverVersion }),
    ...(chosen ? { versions: chosen, together: since !== undefined } : {}),
  }
  if (!connect && !pending) return named
  const { optionsFromDatabase } = await import('../../migrator/lint/ask-database.js')
  const asked = await withTarget(
    invocation,
    (database) => optionsFromDatabase(database, invocation.settings.pack, migrations, pending === true),
    { purpose: 'migrate lint', connections: 1, readOnly: true },
  )
  return { ...asked, ...named }
}

function reportOf({ findings, migrations, serverVersion }: LintResult, rules: readonly Rule[]): LintReport {
  return {
    findings: findings.map(({ location, ...finding }) => {
      const { file, line, column, endLine, endColumn } = location
      return { ...finding, file: relative(process.cwd(), file).split(sep).join('/'), line, column, endLine, endColumn }
    }),
    rules,
    migrations,
    serverVersion: String(Math.floor(serverVersion / 10_000)),
    obsVersion: obsVersion(),
  }
}

function isGrave({ findings }: LintResult, failOn: LintFlags['failOn']): boolean {
  const grave: Readonly<Record<LintFlags['failOn'], readonly LintSeverity[]>> = {
    never: [],
    error: ['error'],
    warning: ['error', 'warning'],
    notice: ['error', 'warning', 'notice'],
  }
  return findings.some((one) => grave[failOn].includes(one.severity))
}

function rulesAnswer(rules: readonly Rule[]): { json: unknown; text: string } {
  const rows = rules.map(({ id, severity, summary }) => [id, severity, summary])
  return {
    json: rules.map(ruleJson),
    text: renderTable([{ title: 'RULE' }, { title: 'SEVERITY' }, { title: 'LOOKS FOR' }], rows),
  }
}

function ruleAnswer(rule: Rule): { json: unknown; text: string } {
  const { id, severity, summary, why, safer } = rule
  return {
    json: ruleJson(rule),
    text: [`${id} (${severity}): ${summary}`, '', why, '', safer, '', `-- obs: allow ${id} <reason>`].join('\n'),
  }
}

function ruleJson({ id, severity, summary, why, safer }: Rule) {
  return { id, severity, summary, why, safer }
}
