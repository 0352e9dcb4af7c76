import { Command } from 'commander'
import { exitCodes, UsageError } from '../errors.js'
import { type ReportFormat, reportFormat, reportFormats } from '../reports/formats.js'
import { nearest } from '../suggest.js'
import { renderTable } from '../terminal/table.js'
import { type Severity, severities } from '../validators/check.js'
import { atLeast, type ListedCheck, listChecks, selectSuites } from '../validators/suites.js'
import { validate } from '../validators/validate.js'
import { action, type Invocation, withTarget } from './invocation.js'
import { loadPackValidation } from './pack-validation.js'
import { answerReport, chooseOutput } from './report-output.js'

interface ValidateFlags {
  readonly format?: ReportFormat
  readonly output?: string
  readonly severity?: Severity
  readonly list?: boolean
}

export function validateCommand(): Command {
  return new Command('validate')
    .description('check schema, integrity, distributions and preservation')
    .argument('[suite...]', 'the suites to run (default: all)')
    .option('--format <format>', `the form of the report: ${formatNames()} (default: table)`, reportFormat)
    .option('--output <file>', 'write the report to a file as well, whole or not at all')
    .option('--severity <minimum>', 'run only the checks that matter this much: error, warning or info', parseSeverity)
    .option('--list', 'list the checks and run none')
    .addHelpText('after', examples)
    .action(action(runValidate))
}

const examples = `
Examples:
  $ obs validate                                run every suite
  $ obs validate schema integrity               run two of them
  $ obs validate --severity error               leave out warnings and notes
  $ obs validate --format junit --output reports/obs.xml
  $ obs validate --list                         what is checked, and how gravely

Exits 1 when a check fails: one of severity error that does not hold, or any that
could not be carried out. Warnings and skipped checks leave the exit code at 0.`

async function runValidate(invocation: Invocation<ValidateFlags>, names: readonly string[]): Promise<void> {
  const { options, settings, context } = invocation
  const { suites: known, facts } = await loadPackValidation(settings.pack)
  const suites = atLeast(selectSuites(known, names), options.severity ?? 'info')
  if (options.list) return invocation.answer(listAnswer(listChecks(suites)))
  const output = await chooseOutput(options)
  const result = await withTarget(
    invocation,
    (database) => validate(database, suites, { schema: settings.pack.schema, facts }, context),
    { purpose: 'validate', connections: 1, readOnly: true },
  )
  await answerReport(invocation, { result, json: result, output })
  if (result.summary.failed > 0) process.exitCode = exitCodes.failed
}

function listAnswer(checks: readonly ListedCheck[]): { json: unknown; text: string } {
  const rows = checks.map(({ id, severity, expected }) => [id, severity, expected])
  return { json: checks, text: renderTable([{ title: 'CHECK' }, { title: 'SEVERITY' }, { title: 'EXPECTED' }], rows) }
}

function parseSeverity(text: string): Severity {
  const severity = severities.find((candidate) => candidate === text)
  if (severity) return severity
  const guess = nearest(text, severities)
  throw new UsageError(
    `unknown severity ${JSON.stringify(text)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_severity',
      hint: `Choose one of ${severities.join(', ')} with --severity.`,
      details: { severity: text, severities },
    },
  )
}

function formatNames(): string {
  return reportFormats.map(({ name }) => name).join(', ')
}
