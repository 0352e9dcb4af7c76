import type { Session } from '../../database/connect.js'
import type { RunSettings, Stretch } from '../pack.js'
import type { TableDescription } from './plan.js'
import { type PlanRun, preparePlan, tablePlans } from './prepare.js'
import type { SeedSpec } from './spec.js'

const day = 86_400_000

/** The tables of a plan as they would be filled; reads the database and changes nothing. */
export async function describePlan(
  session: Session,
  schema: string,
  spec: SeedSpec,
  settings: Pick<RunSettings, 'seed' | 'days' | 'asOf' | 'scale' | 'profile'>,
): Promise<readonly TableDescription[]> {
  const prepared = await preparePlan(session, schema, planFor(spec, settings.profile), runOf(settings, spec, {}))
  return tablePlans(prepared).map(({ plan }) => plan)
}

/** The plan with the rows that a profile gives its tables. */
export function planFor(spec: SeedSpec, profile: string): SeedSpec {
  const rows = spec.profiles?.[profile]?.rows ?? {}
  const tables = Object.entries(spec.tables).map(([name, table]) => [
    name,
    { ...table, rows: rows[name] ?? table.rows },
  ])
  return { ...spec, tables: Object.fromEntries(tables) }
}

export function runOf(
  settings: Pick<RunSettings, 'seed' | 'days' | 'asOf' | 'scale' | 'profile'>,
  spec: SeedSpec,
  first: Readonly<Record<string, number>>,
): PlanRun {
  const { seed, days, scale, profile } = settings
  return { seed, days, first, scale: scale * (spec.profiles?.[profile]?.scale ?? 1), window: windowOf(settings) }
}

export function windowOf({ days, asOf }: Pick<RunSettings, 'days' | 'asOf'>): Stretch {
  return { from: asOf.getTime() - days * day, to: asOf.getTime() }
}
