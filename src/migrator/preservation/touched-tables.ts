import type { Node, Statement } from '../statements/statements.js'

/** A table as a statement names it; without a schema it is found by the search path. */
export interface TableName {
  readonly schema: string | undefined
  readonly table: string
}

/** What a list of statements can alter, as far as their text tells. */
export interface Touched {
  /** The existing tables whose rows they can alter. */
  readonly tables: readonly TableName[]
  /** Statements that may alter any table: by triggers, by cascades, by whatever a function or a DO block does. */
  readonly uncertain: readonly Statement[]
}

/** The existing tables whose rows a list of statements can alter. */
export function touchedTables(statements: readonly Statement[]): Touched {
  const tables: TableName[] = []
  const uncertain: Statement[] = []
  for (const statement of statements) {
    const [kind = '', content] = Object.entries(statement.tree ?? {})[0] ?? []
    const touched = (touches[kind] ?? everything)((content ?? {}) as Node)
    if (touched === 'all') uncertain.push(statement)
    else tables.push(...touched)
  }
  return { tables, uncertain }
}

/**
 * True when no column can be of another type afterwards, as far as the text tells: nothing is dropped
 * or renamed (which is how a table is replaced by a new one), and no type is altered.
 */
export function keepsTypes(statements: readonly Statement[]): boolean {
  return statements.every(({ tree }) => {
    const [kind = '', content] = Object.entries(tree ?? {})[0] ?? []
    if (kind === 'AlterTableStmt') return !JSON.stringify(content).includes('"AT_AlterColumnType"')
    return touches[kind] === nothing || plainChanges.has(kind)
  })
}

const plainChanges = new Set(['DeleteStmt', 'InsertStmt', 'UpdateStmt', 'TruncateStmt'])

type Touches = (content: Node) => readonly TableName[] | 'all'

const nothing: Touches = () => []
const everything: Touches = () => 'all'

/** Statements that are not listed count as touching everything. */
const touches: Readonly<Record<string, Touches>> = {
  AlterTableStmt: (content) => relationsIn(content),
  RenameStmt: (content) => relationsIn(content),
  DropStmt: (content) => droppedTables(content),
  AlterObjectSchemaStmt: (content) => relationsIn(content),
  AlterEnumStmt: nothing,
  AlterOwnerStmt: nothing,
  AlterSeqStmt: nothing,
  CommentStmt: nothing,
  CreateEnumStmt: nothing,
  CreateExtensionStmt: nothing,
  CreateFunctionStmt: nothing,
  CreatePolicyStmt: nothing,
  CreateRoleStmt: nothing,
  CreateSchemaStmt: nothing,
  CreateSeqStmt: nothing,
  CreateStatsStmt: nothing,
  CreateStmt: nothing,
  CreateTrigStmt: nothing,
  DefineStmt: nothing,
  GrantStmt: nothing,
  IndexStmt: nothing,
  TransactionStmt: nothing,
  VacuumStmt: nothing,
  VariableSetStmt: nothing,
  ViewStmt: nothing,
}

const harmlessDrops = new Set([
  'OBJECT_INDEX',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_TRIGGER',
  'OBJECT_POLICY',
  'OBJECT_STATISTIC_EXT',
])

function droppedTables(content: Node): readonly TableName[] | 'all' {
  if (content['behavior'] === 'DROP_CASCADE') return 'all'
  if (harmlessDrops.has(String(content['removeType']))) return []
  if (content['removeType'] !== 'OBJECT_TABLE') return 'all'
  const objects = (content['objects'] ?? []) as readonly { List?: { items?: readonly NameItem[] } }[]
  return objects.map((object) => {
    const names = (object.List?.items ?? []).map((item) => item.String?.sval ?? '')
    return { schema: names.at(-2), table: names.at(-1) ?? '' }
  })
}

interface NameItem {
  readonly String?: { readonly sval?: string }
}

/** Every relation named anywhere in the tree. */
function relationsIn(tree: unknown): readonly TableName[] {
  if (Array.isArray(tree)) return tree.flatMap(relationsIn)
  if (typeof tree !== 'object' || tree === null) return []
  const below = Object.values(tree).flatMap(relationsIn)
  if (!('relname' in tree) || typeof tree.relname !== 'string') return below
  const schema = 'schemaname' in tree && typeof tree.schemaname === 'string' ? tree.schemaname : undefined
  return [{ schema, table: tree.relname }, ...below]
}
