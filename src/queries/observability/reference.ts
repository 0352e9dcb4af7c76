import type { Question } from './question.js'

/** A department or an environment by its two names. */
export interface Named {
  readonly id: string
  readonly code: string
  readonly name: string
}

/** The departments a question is about: the one it names, else all of the workspace. */
export async function departmentsOf({ db, scope }: Question): Promise<readonly (Named & { budget: number | null })[]> {
  const { departmentId } = scope
  const rows = await db
    .selectFrom('departments')
    .select(['id', 'department_code as code', 'department_name as name', 'monthly_budget_usd as budget'])
    .where('workspace_id', '=', scope.workspaceId)
    .$if(departmentId !== undefined, (query) => query.where('id', '=', departmentId ?? ''))
    .orderBy('department_code')
    .execute()
  return rows.map((row) => ({ ...row, budget: row.budget === null ? null : Number(row.budget) }))
}

/** All environments of the workspace, production first. */
export function environmentsOf({ db, scope }: Question): Promise<readonly (Named & { is_production: boolean })[]> {
  return db
    .selectFrom('environments')
    .select(['id', 'environment_code as code', 'environment_name as name', 'is_production'])
    .where('workspace_id', '=', scope.workspaceId)
    .orderBy('is_production', 'desc')
    .orderBy('environment_code')
    .execute()
}
