import { resolve } from 'node:path'
import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import { ObsError } from '../../errors.js'
import { fidelityPage } from '../../reports/fidelity/html.js'
import { fidelityText } from '../../reports/fidelity/terminal.js'
import { refuseFolder, writeReport } from '../../reports/write-report.js'
import type { FidelityReport } from '../../validators/fidelity/report.js'
import { measureFidelity } from '../../validators/observability/fidelity.js'
import { recordedRun } from '../../validators/observability/recorded-run.js'
import { inSnapshot } from '../../validators/validate.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { loadPackValidation, settingsOf } from '../pack-validation.js'
import { parseUuid } from './flags.js'

export interface ReportFlags {
  readonly report?: string
}

interface FidelityFlags extends ReportFlags {
  readonly workspace?: string
}

/** `obs seed fidelity`: declared against landed, for a run that is there. */
export function seedFidelityCommand(): Command {
  return new Command('fidelity')
    .description('compare what landed of a run with what was declared for it')
    .argument('[run]', 'the beginning of its id (default: the latest run)')
    .option('--workspace <uuid>', 'of a run that fills several: which (default: that with the most traffic)', parseUuid)
    .option('--report <file.html>', 'write the report as one page that needs nothing else')
    .addHelpText('after', examples)
    .action(action(runFidelity))
}

const examples = `
Examples:
  $ obs seed fidelity                            the latest run, in the terminal
  $ obs seed fidelity 1f0c --report run.html     a run by its id, as a page as well

Exits 0 whatever the verdicts are: obs validate is the judge.`

async function runFidelity(invocation: Invocation<FidelityFlags>, run?: string): Promise<void> {
  await refuseReport(invocation.options)
  const { workspace } = invocation.options
  const report = await withTarget(invocation, (database) => reportOn(invocation, database, run, workspace), {
    purpose: 'fidelity',
    connections: 1,
    readOnly: true,
  })
  const written = await writePage(invocation.options, report)
  const { style, terminal } = invocation
  const text = fidelityText(report, style, terminal.width)
  invocation.answer({ json: report, text: written === undefined ? text : `${text}\n\nReport written to ${written}` })
}

/** Looks at the path of the page before any work is done for it. */
export async function refuseReport({ report }: ReportFlags): Promise<void> {
  if (report !== undefined) await refuseFolder(resolve(report), '--report')
}

/** Writes the page where one is asked for, and says where it is. */
export async function writePage({ report }: ReportFlags, fidelity: FidelityReport): Promise<string | undefined> {
  if (report === undefined) return undefined
  await writeReport(resolve(report), fidelityPage(fidelity))
  return resolve(report)
}

/** Measures the newest run whose id begins with `id`, in one of the workspaces that it fills. */
export async function reportOn(
  { settings, context }: Invocation<unknown>,
  database: Database,
  id?: string,
  workspace?: string,
): Promise<FidelityReport> {
  const { facts } = await loadPackValidation(settings.pack)
  const { declaredOf } = await import('../../generators/observability/declared.js')
  context.progress.step('comparing what landed with what was declared')
  return inSnapshot(database, { schema: settings.pack.schema, facts }, async (snapshot) => {
    const run = await recordedRun(snapshot, id, workspace)
    if (!run) throw noRun(id, workspace)
    const declared = declaredOf(settingsOf(run))
    if (!declared) throw unknownProfile(run.profile)
    return measureFidelity(snapshot, run, declared)
  })
}

function noRun(id: string | undefined, workspace: string | undefined): ObsError {
  const where = workspace === undefined ? '' : ` in workspace ${workspace}`
  const what = id === undefined ? 'nothing was seeded here' : `no run has an id that begins with ${JSON.stringify(id)}`
  return new ObsError(`${what}${where}`, {
    code: 'no_run',
    hint: 'Make one with obs seed, or look at obs seed runs.',
    details: { run: id ?? null, workspace: workspace ?? null },
  })
}

function unknownProfile(profile: string): ObsError {
  return new ObsError(`the profile ${profile} is not known to this version of obs`, {
    code: 'unknown_profile',
    hint: 'Compare the run with the version of obs that made it.',
    details: { profile },
  })
}
