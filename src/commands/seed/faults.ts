import { resolve } from 'node:path'
import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import { chooseFaults, type FaultCatalogue } from '../../generators/faults/fault.js'
import type { FaultRequest } from '../../generators/faults/record-truth.js'
import type { SeedPack } from '../../generators/pack.js'
import { refuseFolder, writeReport } from '../../reports/write-report.js'
import { renderTable } from '../../terminal/table.js'
import { action, type Invocation } from '../invocation.js'
import { generatorsOf } from './generators-of.js'

/** `obs seed faults`: what can be planted. */
export function seedFaultsCommand(): Command {
  return new Command('faults')
    .description('list the faults that --faults can plant, and the checks that have to find them')
    .action(action(list))
}

async function list(invocation: Invocation<object>): Promise<void> {
  const generators = await generatorsOf(invocation.settings.pack)
  const catalogue = catalogueOf(generators)
  const { faults, groups, impossible } = catalogue
  invocation.answer({
    json: {
      faults: faults.map(({ name, summary, table, rate, seenIn, checks }) => {
        return { name, summary, table, rate, seen_in: seenIn, checks }
      }),
      groups,
      impossible,
    },
    text: listText(catalogue),
  })
}

function listText({ faults, groups, impossible }: FaultCatalogue): string {
  const columns = [
    { title: 'FAULT' },
    { title: 'RATE', align: 'right' as const },
    { title: 'WHAT' },
    { title: 'FOUND BY' },
  ]
  const rows = faults.map(({ name, rate, summary, checks }) => [
    name,
    `${Number((rate * 100).toPrecision(3))} %`,
    summary,
    checks.join(', '),
  ])
  return [
    renderTable(columns, rows),
    '',
    'Groups: all, and',
    ...Object.entries(groups).map(([name, members]) => `  ${name}: ${members.join(', ')}`),
    '',
    'The schema forbids, so that no row can have it:',
    ...impossible.map(({ what, because }) => `  ${what} (${because})`),
  ].join('\n')
}

function catalogueOf({ name, faults }: SeedPack): FaultCatalogue {
  if (faults) return faults
  throw new UsageError(`the pack ${JSON.stringify(name)} has no faults to plant`, {
    code: 'no_faults',
    hint: 'Leave --faults out.',
    details: { pack: name },
  })
}

/** The faults that were asked for, with the file that their manifest is written to. */
export interface PlannedFaults {
  readonly request: FaultRequest
  /** Where the manifest is, once it was written. */
  path(): string | undefined
}

/** @throws UsageError when a fault is unknown, or the manifest cannot be a file. */
export async function planFaults(
  generators: SeedPack,
  { faults, faultsManifest }: { readonly faults?: string; readonly faultsManifest?: string },
): Promise<PlannedFaults | undefined> {
  if (faults === undefined) {
    if (faultsManifest === undefined) return undefined
    throw new UsageError('--faults-manifest is about planted faults, and there are none', {
      code: 'no_faults_chosen',
      hint: 'Say which with --faults, for example --faults duplicates,orphans.',
    })
  }
  const settings = chooseFaults(catalogueOf(generators), faults)
  if (faultsManifest !== undefined) await refuseFolder(resolve(faultsManifest), '--faults-manifest')
  let written: string | undefined
  return {
    request: {
      settings,
      async record(manifest, runId) {
        const path = resolve(faultsManifest ?? `reports/faults-${runId}.json`)
        await writeReport(path, manifest)
        written = path
      },
    },
    path: () => written,
  }
}
