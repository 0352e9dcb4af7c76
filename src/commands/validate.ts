import { Command, InvalidArgumentError } from 'commander'
import { exitCodes, UsageError } from '../errors.js'
import { type ReportFormat, reportFormat, reportFormats } from '../reports/formats.js'
import { nearest } from '../suggest.js'
import { renderTable } from '../terminal/table.js'
import { type Severity, type Suite, severities } from '../validators/check.js'
import { atLeast, type ListedCheck, listChecks, selectSuites } from '../validators/suites.js'
import { validate } from '../validators/validate.js'
import { action, type Invocation, withTarget } from './invocation.js'
import { loadPackValidation } from './pack-validation.js'
import { answerReport, chooseOutput } from './report-output.js'
import { runScore } from './score.js'

interface ValidateFlags {
  readonly format?: ReportFormat
  readonly output?: string
  readonly severity?: Severity
  readonly list?: boolean
  readonly score?: string
  readonly threshold?: number
}

export function validateCommand(): Command {
  return new Command('validate')
    .description('check schema, integrity, distributions and preservation')
    .argument('[suite...]', 'the suites to run (default: all)')
    .option('--format <format>', `the form of the report: ${formatNames()} (default: table)`, reportFormat)
    .option('--output <file>', 'write the report to a file as well, whole or not at all')
    .option('--severity <minimum>', 'run only the checks that matter this much: error, warning or info', parseSeverity)
    .option('--list', 'list the checks and run none')
    .option('--score <manifest>', 'compare what the checks find with the faults that obs seed --faults planted')
    .option('--threshold <share>', 'with --score: the least precision and recall, 0 to 1 (default: 1)', parseThreshold)
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
  $ obs validate --score reports/faults-1f0c….json   precision and recall of the checks

Exits 1 when a check fails: one of severity error that does not hold, or any that
could not be carried out. Warnings and skipped checks leave the exit code at 0.
With --score it exits 1 when precision or recall stays below the threshold.`

async function runValidate(invocation: Invocation<ValidateFlags>, names: readonly string[]): Promise<void> {
  const { options, settings } = invocation
  const { pack } = settings
  if (options.threshold !== undefined && options.score === undefined) throw thresholdAlone()
  if (pack.seed && options.score === undefined) {
    return runChosen(
      invocation,
      names,
      await (await import('./plan-validation.js')).loadPlanValidation(invocation, pack.seed),
    )
  }
  const { suites, facts } = await loadPackValidation(pack)
  if (options.score === undefined || options.list) return runChosen(invocation, names, { suites, facts })
  return runScore(invocation, options.score, chosen(invocation, names, suites), facts)
}

function chosen<Facts>(
  { options }: Invocation<ValidateFlags>,
  names: readonly string[],
  suites: readonly Suite<Facts>[],
): readonly Suite<Facts>[] {
  return atLeast(selectSuites(suites, names), options.severity ?? 'info')
}

async function runChosen<Facts>(
  invocation: Invocation<ValidateFlags>,
  names: readonly string[],
  { suites: known, facts }: { readonly suites: readonly Suite<Facts>[]; readonly facts: Facts },
): Promise<void> {
  const { options, settings, context } = invocation
  const suites = chosen(invocation, names, known)
  if (options.list) return invocation.answer(listAnswer(listChecks(suites)))
  const output = await chooseOutput(options, reportFormat)
  const result = await withTarget(
    invocation,
    (database) => validate(database, suites, { schema: settings.pack.schema, facts }, context),
    { purpose: 'validate', connections: 1, readOnly: true },
  )
  await answerReport(invocation, { report: result, json: result, output, formatCalled: reportFormat })
  if (result.summary.failed > 0) process.exitCode = exitCodes.failed
}

function parseThreshold(text: string): number {
  const share = Number(text)
  if (text.trim() !== '' && share >= 0 && share <= 1) return share
  throw new InvalidArgumentError('--threshold is a number from 0 to 1.')
}

function thresholdAlone(): UsageError {
  return new UsageError('--threshold goes with --score', {
    code: 'threshold_alone',
    hint: 'Add --score <manifest>, the file that obs seed --faults wrote.',
  })
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
