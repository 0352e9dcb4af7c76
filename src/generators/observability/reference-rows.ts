import type { ReferenceTable, RunSettings, Stretch } from '../pack.js'
import { Random, streamKey } from '../random.js'
import { dayMs } from './calendar.js'
import { departments } from './departments.js'
import { environments } from './environments.js'
import { agentUuid, departmentId, environmentId, userUuid } from './ids.js'
import type { Population } from './population.js'
import type { Profile } from './profiles.js'
import { withFaker } from './prompts.js'
import { generalAvailability } from './rollout.js'
import { columnsOf } from './table-columns.js'
import { markOf } from './tenants.js'

/** The population of a workspace and the run that writes it down. */
export interface People {
  readonly run: RunSettings
  readonly population: Population
  readonly profile: Profile
  /** The window of the run that the population belongs to. */
  readonly home: Stretch
}

/** The ids of departments and environments of a workspace, by table and code. */
export type IdsOfWorkspace = (table: string, code: string) => string

export function workspaceRows(run: RunSettings, home: Stretch, name: string): ReferenceTable {
  const row = [run.workspace, run.workspace, `ws-${run.workspace}`, name]
  return {
    table: 'workspaces',
    columns: columnsOf('workspaces'),
    key: ['id'],
    rows: [[...row, ...stamped(run, home)]],
  }
}

export function departmentRows(run: RunSettings, home: Stretch): ReferenceTable {
  return {
    table: 'departments',
    columns: columnsOf('departments'),
    key: ['workspace_id', 'department_code'],
    rows: departments.map(({ code, name, description, monthlyBudgetUsd, costCenter }) => [
      ...[departmentId(run.workspace, code), run.workspace, code, name, description],
      ...[monthlyBudgetUsd.toFixed(2), costCenter, ...stamped(run, home)],
    ]),
  }
}

export function environmentRows(run: RunSettings, home: Stretch): ReferenceTable {
  return {
    table: 'environments',
    columns: columnsOf('environments'),
    key: ['workspace_id', 'environment_code'],
    rows: environments.map(({ code, name, description, isProduction, requiresApproval }) => [
      ...[environmentId(run.workspace, code), run.workspace, code, name, description],
      ...[String(isProduction), String(requiresApproval), ...stamped(run, home)],
    ]),
  }
}

/** The fleet as it stands when the window of its run closes. */
export function agentRows({ run, population, profile, home }: People, ids: IdsOfWorkspace): ReferenceTable {
  const random = new Random()
  const key = streamKey('agent records', population.seed)
  return {
    table: 'agents',
    columns: columnsOf('agents'),
    key: ['workspace_id', 'agent_id'],
    rows: population.agents.map((agent) => {
      const department = departments[agent.department]
      const type = department?.types[agent.type]?.name ?? ''
      const code = department?.code ?? ''
      random.seat(key, agent.index)
      const share = generalAvailability(profile.rollout, agent.release) + agent.lag
      const deployed = home.from + Math.min(0.999, share) * (home.to - home.from) - random.integer(3_600_000)
      const isDeprecated = agent.status === 'deprecated'
      const retires = new Date(home.to + (14 + random.integer(60)) * dayMs).toISOString().slice(0, 10)
      return [
        ...[agentUuid(run.workspace, agent.agentId), run.workspace, agent.agentId],
        ...[`${department?.name} ${type.replaceAll('-', ' ')} ${agent.number}`, type],
        ...[ids('departments', code), ids('environments', agent.home)],
        ...[profile.rollout.releases[agent.release]?.version ?? '', agent.status, `${code}-platform`],
        ...[isoTime(deployed), isDeprecated ? retires : null, isDeprecated ? `${code}-${type}-1` : null],
        ...stamped(run, home),
      ]
    }),
  }
}

/** The users, with names of faker's and the time each was last seen in this run. */
export async function userRows(
  { run, population, home }: People,
  ids: IdsOfWorkspace,
  lastSeen: Float64Array,
): Promise<ReferenceTable> {
  const names = await withFaker(population.seed, ({ person }) =>
    population.users.map(() => [person.firstName(), person.lastName()] as const),
  )
  return {
    table: 'users',
    columns: columnsOf('users'),
    key: ['workspace_id', 'user_id'],
    rows: population.users.map((user) => {
      const [first, last] = names[user.index] ?? ['', '']
      const handle = `${first}.${last}`.toLowerCase().replace(/[^a-z.]/g, '')
      const seen = lastSeen[user.index] ?? 0
      return [
        ...[userUuid(run.workspace, user.userId), run.workspace, user.userId, `${first} ${last}`],
        ...[`${handle}.${user.index + 1}@example.com`, user.segment],
        ids('departments', departments[user.department]?.code ?? ''),
        ...[isoTime(user.signedUpAt), seen > 0 ? isoTime(seen) : null],
        ...stamped(run, home),
      ]
    }),
  }
}

/** Reference rows are as old as the window of the population, whenever they are written. */
function stamped(run: RunSettings, home: Stretch): [string, string, string] {
  return [JSON.stringify({ obs_run: markOf(run) }), isoTime(home.from), isoTime(home.from)]
}

function isoTime(time: number): string {
  return new Date(time).toISOString()
}
