import type { RunContext } from '../../context.js'
import { throwIfAborted } from '../../database/connect.js'
import type { FaultManifest } from '../../fault-manifest.js'
import { CopyBuffer } from '../copy-binary.js'
import type { FactTable, RunSettings, Stretch } from '../pack.js'
import type { FaultCatalogue } from './fault.js'
import type { Witness } from './plant.js'

/** What a survey goes through: the fact tables of a run, made so that they tell of every fault they plant. */
export interface Surveyed {
  readonly pack: string
  readonly settings: RunSettings
  readonly window: Stretch
  readonly catalogue: FaultCatalogue
  facts(witness: Witness): Promise<readonly FactTable[]>
}

/**
 * Works out which rows of a run have which fault, by generating it once and keeping nothing else.
 *
 * Rows are functions of the run, so this is what will be loaded, and it can be written
 * down before the first row is.
 */
export async function surveyFaults(surveyed: Surveyed, { progress, signal }: RunContext): Promise<FaultManifest> {
  const { settings, catalogue, window } = surveyed
  const keys = new Map((settings.faults ?? []).map(({ name }) => [name, new Set<string>()]))
  progress.step('working out which rows get a fault')
  const buffer = new CopyBuffer()
  let rows = 0
  for (const fact of await surveyed.facts((fault, key) => keys.get(fault)?.add(key))) {
    for (const written of fact.encode(window, buffer)) {
      throwIfAborted(signal)
      buffer.clear()
      rows += written
      progress.advance(rows, undefined, 'rows')
      // Lets Ctrl-C through.
      await new Promise(setImmediate)
    }
  }
  return {
    format: 1,
    run_id: settings.runId,
    pack: surveyed.pack,
    profile: settings.profile,
    seed: settings.seed,
    as_of: settings.asOf.toISOString(),
    workspace_id: settings.workspace,
    faults: (settings.faults ?? []).flatMap(({ name, rate }) => {
      const fault = catalogue.faults.find((candidate) => candidate.name === name)
      const planted = [...(keys.get(name) ?? [])].sort()
      if (!fault) return []
      return [
        {
          ...{ name, rate, summary: fault.summary, table: fault.table, key: fault.key, seen_in: fault.seenIn },
          ...{ checks: [...fault.checks], also_seen_by: [...(fault.alsoSeenBy ?? [])] },
          planted: planted.length,
          keys: fault.seenIn === 'rows' ? planted : [],
        },
      ]
    }),
    impossible: [...catalogue.impossible],
  }
}
