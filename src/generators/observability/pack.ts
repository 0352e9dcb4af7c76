import { extname } from 'node:path'
import type { Witness } from '../faults/plant.js'
import type {
  FactTable,
  PopulationSettings,
  ReferenceIds,
  ReferenceTable,
  RunSettings,
  SeedPack,
  SeedPlan,
} from '../pack.js'
import { dayMs } from './calendar.js'
import { calibrate } from './calibrate.js'
import type { Calibration } from './calibration.js'
import { changeLog, type EncodingSource, evaluationTable, spanTable, traceTable } from './encode.js'
import { faultCatalogue, plantFaults } from './faults.js'
import { planIncidents } from './incidents.js'
import { lastSeen } from './last-seen.js'
import { makePopulation } from './population.js'
import { pricesPerThousand, priceTable } from './prices.js'
import { profileCalled, profileNames } from './profiles.js'
import { makeTexts, withFaker } from './prompts.js'
import {
  agentRows,
  departmentRows,
  environmentRows,
  type IdsOfWorkspace,
  userRows,
  workspaceRows,
} from './reference-rows.js'
import { markOf, populationSeed, profileOf, tenantsOf, workspacesOf } from './tenants.js'
import type { TraceSource } from './trace-source.js'
import { unitedFacts, unitedReferences } from './unite.js'
import { planVolume } from './volume.js'

/** Seeded when the database has no workspace, or several. */
export const demoWorkspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'

/** The generators of the observability pack. */
export const observability: SeedPack = {
  name: 'observability',
  profiles: profileNames.map((name) => ({ name, description: profileCalled(name).description })),
  requires: {
    workspaces: ['id', 'workspace_id', 'workspace_code', 'metadata'],
    departments: ['id', 'workspace_id', 'department_code', 'metadata'],
    environments: ['id', 'workspace_id', 'environment_code', 'metadata'],
    traces: ['trace_id', 'department_id', 'environment_id', 'version', 'intent_category', 'user_segment', 'metadata'],
    users: ['id', 'user_id', 'user_segment', 'signed_up_at', 'last_seen_at', 'metadata'],
    agents: ['id', 'agent_id', 'environment_id', 'version', 'status', 'metadata'],
    evaluations: ['id', 'trace_id', 'trace_timestamp', 'score', 'metadata'],
    spans: ['trace_timestamp', 'trace_id', 'span_id', 'parent_span_id', 'kind', 'operation', 'metadata'],
  },
  coded: { departments: 'department_code', environments: 'environment_code' },
  facts: ['traces', 'evaluations', 'spans'],
  timeColumns: { traces: 'timestamp', evaluations: 'created_at', spans: 'trace_timestamp' },
  named: { agents: 'agent_id', users: 'user_id' },
  refresh: 'traces_refresh_rollups',
  changeLog,
  derived: ['traces_hourly', 'traces_daily'],
  faults: faultCatalogue,
  workspaces: { table: 'workspaces', demo: demoWorkspace, filledBy: workspacesOf },
  thread: { file: new URL(`./observability-thread${extname(import.meta.url)}`, import.meta.url) },
  // Loaded when it is asked for: it is made of plans itself.
  describe: async (run) => (await import('./description.js')).describeRun(run),
  plan,
}

/** Plans a run; nothing is read, and of rows only a sample is drawn. */
function plan(run: RunSettings): SeedPlan {
  const parts = tenantsOf(run).map(planWorkspace)
  const [first] = parts
  if (!first) throw new Error(`the profile ${run.profile} fills no workspace`)
  let ids: ReferenceIds | undefined
  const tenants = parts.length > 1 ? { tenants: parts.map(recorded) } : {}
  return {
    window: first.window,
    incidents: parts.flatMap((part) => part.incidents),
    notes: { prices: { as_of: priceTable.asOf, usd_per_1k_tokens: pricesPerThousand() }, ...tenants },
    references: async () => unitedReferences(await Promise.all(parts.map((part) => part.references()))),
    async facts(found, witness) {
      ids = found
      return unitedFacts(await Promise.all(parts.map((part) => part.facts(found, witness))))
    },
    async closing() {
      const found = ids
      if (!found) throw new Error('the facts of a run come before what closes it')
      return unitedReferences(await Promise.all(parts.map((part) => part.closing(found))))
    },
  }
}

/** What of one workspace follows from its settings alone. */
function planWorkspace(run: RunSettings) {
  const profile = profileOf(run)
  const source = traceSourceOf(run)
  const { population, window, incidents } = source
  const origin: PopulationSettings = run.population ?? run
  const people = { run, population, home: windowOf(origin), profile: profileOf({ ...run, profile: origin.profile }) }
  const own =
    (ids: ReferenceIds): IdsOfWorkspace =>
    (table, code) =>
      ids(table, code, run.workspace)
  return {
    run,
    window,
    incidents: incidents.map(({ incident }) => (run.tenant ? { ...incident, workspace_id: run.workspace } : incident)),
    async references(): Promise<readonly ReferenceTable[]> {
      const { home } = people
      const name = await workspaceName(run, population.seed)
      return [workspaceRows(run, home, name), departmentRows(run, home), environmentRows(run, home)]
    },
    async facts(found: ReferenceIds, witness: Witness | undefined): Promise<readonly FactTable[]> {
      const ids = own(found)
      const texts = await makeTexts(run.runId, profile.texts.perIntent)
      const facts: EncodingSource = { ...source, mark: markOf(run), workspace: run.workspace, ids, texts }
      const made = [traceTable(facts), evaluationTable(facts), ...(run.spans ? [spanTable(facts)] : [])]
      return plantFaults(made, { run, profile, population, window, ids, calibration: source.calibration }, witness)
    },
    async closing(found: ReferenceIds): Promise<readonly ReferenceTable[]> {
      return [agentRows(people, own(found)), await userRows(people, own(found), lastSeen(source))]
    },
  }
}

/** What the ledger keeps of a workspace, so that what was declared for it can be worked out again. */
function recorded({ run }: { readonly run: RunSettings }) {
  return { workspace_id: run.workspace, part_id: run.runId, rank: run.tenant?.rank ?? 0, scale: run.scale }
}

async function workspaceName({ tenant }: RunSettings, seed: number): Promise<string> {
  return tenant ? withFaker(seed, ({ company }) => company.name()) : 'Demo workspace'
}

/** What the traces of a run depend on, tuned to the targets of its profile. */
export function traceSourceOf(run: RunSettings): TraceSource {
  const profile = profileOf(run)
  const window = windowOf(run)
  const origin: PopulationSettings = run.population ?? run
  const home = windowOf(origin)
  const peopleProfile = profileOf({ ...run, profile: origin.profile })
  const population = makePopulation(peopleProfile, populationSeed(origin.seed, run), home.from, home.to)
  const { runId } = run
  const volume = planVolume(profile, population.agents, window, population.curve, run)
  const incidents = planIncidents(profile, population.agents, window, { runId, mark: markOf(run) })
  const source = { runId, profile, population, window, incidents, volume }
  let calibration: Calibration | undefined
  return {
    ...source,
    calibration: () => {
      calibration ??= calibrate(source)
      return calibration
    },
  }
}

function windowOf({ asOf, days }: PopulationSettings): { from: number; to: number } {
  return { from: asOf.getTime() - days * dayMs, to: asOf.getTime() }
}
