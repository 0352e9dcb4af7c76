import { createHash } from 'node:crypto'
import type { RunContext } from '../../context.js'
import type { ReferenceIds, RunSettings, SeedPack, SeedPlan } from '../pack.js'
import type { FaultSetting } from './fault.js'
import type { Witness } from './plant.js'
import { surveyFaults } from './survey.js'

/** Faults to plant, and where the truth about them goes. */
export interface FaultRequest {
  readonly settings: readonly FaultSetting[]
  /** Keeps the text of the manifest; called before any row is loaded. */
  record(manifest: string, runId: string): Promise<void>
}

/** What the ledger keeps of planted faults. */
export interface FaultNotes {
  readonly planted: Readonly<Record<string, number>>
  /** Of the manifest's text without the line break at its end. */
  readonly manifest_sha256: string
}

/**
 * Writes down which rows will have which fault, before the first of them is loaded, and keeps
 * with the settings of the run what was written.
 */
export async function withTruth(
  { generators, faults }: { readonly generators: SeedPack; readonly faults: FaultRequest | undefined },
  settings: RunSettings,
  plan: SeedPlan,
  ids: ReferenceIds,
  context: RunContext,
): Promise<RunSettings> {
  if (!faults || !generators.faults) return settings
  const facts = (witness: Witness) => plan.facts(ids, witness)
  const { name: pack, faults: catalogue } = generators
  const manifest = await surveyFaults({ pack, settings, window: plan.window, catalogue, facts }, context)
  const text = JSON.stringify(manifest, null, 2)
  await faults.record(text, manifest.run_id)
  const truth: FaultNotes = {
    planted: Object.fromEntries(manifest.faults.map(({ name, planted }) => [name, planted])),
    manifest_sha256: createHash('sha256').update(text).digest('hex'),
  }
  return { ...settings, truth }
}
