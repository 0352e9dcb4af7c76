import type { Kysely } from 'kysely'
import { ObsError, UsageError } from '../../errors.js'
import type { KpiFilters } from '../filters.js'
import type { FilterName } from '../kpi.js'
import { refuseUnknown } from '../resolve-filters.js'
import type { ObservabilityTables } from './tables.js'

/** Which traces a question is about, in the database's own ids. */
export interface Scope {
  readonly workspaceId: string
  readonly departmentId: string | undefined
  readonly environmentId: string | undefined
  readonly version: string | undefined
}

/** The workspace that a question means when the database has several and none was named. */
const demoWorkspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'

type Connection = Kysely<ObservabilityTables>

/**
 * Turns the filters' words into ids of the workspace that is meant.
 *
 * The workspace is the one that was named, else the only one there is, else the
 * demo workspace.
 *
 * @throws UsageError with the nearest known value and the list of all when a word names nothing.
 */
export async function resolveScope(db: Connection, filters: KpiFilters): Promise<Scope> {
  const workspaceId = await resolveWorkspace(db, filters.workspace)
  return {
    workspaceId,
    departmentId: filters.department && (await resolveDepartment(db, workspaceId, filters.department)),
    environmentId: filters.environment && (await resolveEnvironment(db, workspaceId, filters.environment)),
    version: filters.version && (await resolveVersion(db, workspaceId, filters.version)),
  }
}

async function resolveWorkspace(db: Connection, asked: string | undefined): Promise<string> {
  const known = await db.selectFrom('workspaces').select(['id', 'workspace_code']).orderBy('workspace_code').execute()
  const codes = known.map((workspace) => workspace.workspace_code)
  if (asked !== undefined) {
    const word = asked.toLowerCase()
    const found = known.find(({ id, workspace_code }) => id === word || workspace_code === asked)
    return found ? found.id : refuseUnknown('workspace', asked, codes)
  }
  const [first, second] = known
  if (first === undefined) throw new ObsError('this database has no workspaces', noData)
  if (second === undefined) return first.id
  const demo = known.find(({ id }) => id === demoWorkspace)
  if (demo) return demo.id
  throw new UsageError(`this database has ${known.length} workspaces: ${codes.join(', ')}`, {
    code: 'workspace_not_chosen',
    hint: 'Choose one with --workspace, OBS_WORKSPACE or "workspace" in the configuration file.',
    details: { workspaces: known },
  })
}

const noData = { code: 'no_data', hint: 'Fill it with obs seed, or adopt an existing one with obs migrate up.' }

async function resolveDepartment(db: Connection, workspaceId: string, code: string): Promise<string> {
  const known = await db
    .selectFrom('departments')
    .select(['id', 'department_code as code'])
    .where('workspace_id', '=', workspaceId)
    .orderBy('department_code')
    .execute()
  return idOf('department', code, known)
}

async function resolveEnvironment(db: Connection, workspaceId: string, code: string): Promise<string> {
  const known = await db
    .selectFrom('environments')
    .select(['id', 'environment_code as code'])
    .where('workspace_id', '=', workspaceId)
    .orderBy('environment_code')
    .execute()
  return idOf('environment', code, known)
}

async function resolveVersion(db: Connection, workspaceId: string, version: string): Promise<string> {
  const known = await db
    .selectFrom('traces')
    .select('version')
    .distinct()
    .where('workspace_id', '=', workspaceId)
    .orderBy('version')
    .execute()
  const versions = known.map((row) => row.version)
  return versions.includes(version) ? version : refuseUnknown('version', version, versions)
}

function idOf(what: FilterName, code: string, known: readonly { readonly id: string; readonly code: string }[]) {
  const found = known.find((candidate) => candidate.code === code)
  if (found) return found.id
  return refuseUnknown(
    what,
    code,
    known.map((candidate) => candidate.code),
  )
}
