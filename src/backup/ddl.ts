/** One statement of a dump, with what decides whether a target can run it. */
export interface DdlStatement {
  readonly sql: string
  /** Gives an object an owner or a role a right: left out with `--no-owner`. */
  readonly aboutRoles: boolean
  /** Roles it names. */
  readonly roles: readonly string[]
  /** The server setting it changes, if that is all it does. */
  readonly setting: string | undefined
}

/** A node of PostgreSQL's parse tree: one key that names the kind. */
type Node = Readonly<Record<string, unknown>>

/** Takes the SQL of a dump apart with PostgreSQL's own parser. */
export async function parseDdl(sql: string): Promise<DdlStatement[]> {
  const { parse } = await import('libpg-query')
  // Positions are counted in bytes.
  const bytes = Buffer.from(sql)
  const { stmts = [] } = await parse(sql)
  return stmts.map(({ stmt, stmt_location: from = 0, stmt_len: length }) =>
    describe(bytes.toString('utf8', from, length === undefined ? undefined : from + length).trim(), stmt as Node),
  )
}

/** Every role the statements name, sorted. */
export function rolesOf(statements: readonly DdlStatement[]): string[] {
  return [...new Set(statements.flatMap(({ roles }) => roles))].sort()
}

function describe(sql: string, node: Node): DdlStatement {
  const [kind = ''] = Object.keys(node)
  const body = node[kind] as Node
  const setting = kind === 'VariableSetStmt' ? String(body['name']) : undefined
  const session = setting === 'session_authorization'
  return {
    sql,
    aboutRoles: session || isAboutRoles(kind, body),
    roles: [...new Set(session ? stringsIn(body['args']) : roleNames(body))],
    setting,
  }
}

const roleStatements = new Set(['GrantStmt', 'GrantRoleStmt', 'AlterOwnerStmt', 'AlterDefaultPrivilegesStmt'])

function isAboutRoles(kind: string, body: Node): boolean {
  if (roleStatements.has(kind)) return true
  if (kind !== 'AlterTableStmt') return false
  const commands = body['cmds'] as readonly { AlterTableCmd?: { subtype?: string } }[]
  return commands.every((command) => command.AlterTableCmd?.subtype === 'AT_ChangeOwner')
}

/** The names in every RoleSpec below `value`; PUBLIC and CURRENT_USER have none. */
function roleNames(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const { roletype, rolename } = value as Node
  if (roletype === 'ROLESPEC_CSTRING' && typeof rolename === 'string') return [rolename]
  return Object.values(value).flatMap(roleNames)
}

function stringsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const { sval } = value as Node
  if (typeof sval === 'string') return [sval]
  return Object.values(value).flatMap(stringsIn)
}
