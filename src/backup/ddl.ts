import { quoteQualified } from '../database/quote.js'

/** One statement of a dump, with what decides whether a target can run it. */
export interface DdlStatement {
  readonly sql: string
  /** The comments above it. */
  readonly heading: string
  /** The kind of statement, as the parser calls it: `CreateStmt`, `IndexStmt`. */
  readonly kind: string
  /** What it builds from the rows of a table, if it does: such statements take time, and some can run at once. */
  readonly builds: 'index' | 'key' | 'foreign key' | undefined
  /** Gives an object an owner or a role a right: left out with `--no-owner`. */
  readonly aboutRoles: boolean
  /** Roles it names. */
  readonly roles: readonly string[]
  /** The server setting it changes, if that is all it does. */
  readonly setting: string | undefined
  /** The object it is about; undefined in dumps that do not say so. */
  readonly entry: DumpEntry | undefined
  /** Tables, views, sequences and indexes that it is about. */
  readonly relations: readonly RelationName[]
  /** Tables that it locks while it builds something, as SQL would name them. */
  readonly tables: readonly string[]
}

export interface RelationName {
  readonly schema: string | undefined
  readonly name: string
}

/** What pg_dump says of an object above its statements, when it is asked to be verbose. */
export interface DumpEntry {
  /** Numbers the objects of one dump. */
  readonly id: number
  /** The OIDs of the system catalog and of the object's row in it; 0 for a comment or a grant. */
  readonly catalog: number
  readonly oid: number
  /** Ids of the objects it cannot be without, where pg_dump writes them: of comments and grants. */
  readonly dependencies: readonly number[]
  /** What it is: `TABLE`, `FK CONSTRAINT`. */
  readonly type: string
}

/** A node of PostgreSQL's parse tree: one key that names the kind. */
type Node = Readonly<Record<string, unknown>>

/** Takes the SQL of a dump apart with PostgreSQL's own parser. */
export async function parseDdl(sql: string): Promise<DdlStatement[]> {
  const { parse } = await import('libpg-query')
  const statements: DdlStatement[] = []
  let entry: DumpEntry | undefined
  const take = async (text: string) => {
    // Positions are counted in bytes.
    const bytes = Buffer.from(text)
    const { stmts = [] } = await parse(text)
    let end = 0
    for (const { stmt, stmt_location: from = 0, stmt_len: length } of stmts) {
      const between = bytes.toString('utf8', end, from)
      entry = entryIn(between) ?? entry
      end = length === undefined ? bytes.length : from + length
      const own = bytes.toString('utf8', from, end).trim()
      statements.push({ ...describe(own, stmt as Node), heading: commentsIn(between), entry })
    }
  }
  let pending = ''
  for (const part of portions(sql)) {
    pending += part
    // A portion that ends inside of a statement does not parse; it is taken with the next one.
    const taken = await take(pending).then(
      () => true,
      () => false,
    )
    if (taken) pending = ''
  }
  if (pending !== '') await take(pending)
  return statements
}

/** Characters that the parser is given at a time: its trees take a hundred times the memory of the text. */
const portionLength = 200_000
const boundary = '\n--\n-- TOC entry '

/** A dump in portions that begin where an object does, or where a text looks as if one did. */
function* portions(sql: string): Generator<string> {
  let from = 0
  while (from < sql.length) {
    const at = sql.indexOf(boundary, from + portionLength)
    const to = at === -1 ? sql.length : at
    yield sql.slice(from, to)
    from = to
  }
}

const header =
  /^-- TOC entry (\d+) \(class (\d+) OID (\d+)\)\n(?:-- Dependencies:([ \d]*)\n)?-- (?:Data for )?Name: .*; Type: ([A-Z ]+);/m

function commentsIn(between: string): string {
  const lines = between.split('\n').filter((line) => line.startsWith('--'))
  return lines.map((line) => `${line}\n`).join('')
}

/** @param comments what stands between two statements, not what a text inside of one looks like. */
function entryIn(comments: string): DumpEntry | undefined {
  const [, id, catalog, oid, dependencies = '', type = ''] = header.exec(comments) ?? []
  if (id === undefined) return undefined
  return {
    id: Number(id),
    catalog: Number(catalog),
    oid: Number(oid),
    dependencies: dependencies.split(' ').filter(Boolean).map(Number),
    type,
  }
}

/** Every role the statements name, sorted. */
export function rolesOf(statements: readonly DdlStatement[]): string[] {
  return [...new Set(statements.flatMap(({ roles }) => roles))].sort()
}

function describe(sql: string, node: Node): Omit<DdlStatement, 'heading' | 'entry'> {
  const [kind = ''] = Object.keys(node)
  const body = node[kind] as Node
  const setting = kind === 'VariableSetStmt' ? String(body['name']) : undefined
  const session = setting === 'session_authorization'
  return {
    sql,
    kind,
    builds: whatIsBuilt(kind, body),
    relations: relationsIn(kind, body),
    tables: [body['relation'], constraintIn(body)?.pktable]
      .flatMap(rangeOf)
      .map(({ schema = '', name }) => quoteQualified(schema, name)),
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

const constraints: Readonly<Record<string, DdlStatement['builds']>> = {
  CONSTR_PRIMARY: 'key',
  CONSTR_UNIQUE: 'key',
  CONSTR_EXCLUSION: 'key',
  CONSTR_FOREIGN: 'foreign key',
}

function whatIsBuilt(kind: string, body: Node): DdlStatement['builds'] {
  if (kind === 'IndexStmt') return 'index'
  if (kind !== 'AlterTableStmt') return undefined
  return constraints[constraintIn(body)?.contype ?? '']
}

interface ConstraintNode {
  readonly contype?: string
  /** The table that a foreign key refers to. */
  readonly pktable?: unknown
}

/** The constraint that `alter table` adds. */
function constraintIn(body: Node): ConstraintNode | undefined {
  const commands = body['cmds'] as readonly { AlterTableCmd?: { def?: { Constraint?: ConstraintNode } } }[] | undefined
  return commands?.[0]?.AlterTableCmd?.def?.Constraint
}

/** What a statement is about, not what the expressions and queries in it speak of. */
function relationsIn(kind: string, body: Node): RelationName[] {
  const nodes = [body['relation'], body['sequence']]
  if (kind === 'AlterTableStmt') nodes.push(partitionIn(body))
  return [...nodes.flatMap(rangeOf), ...ownerOfSequence(body)]
}

function rangeOf(node: unknown): RelationName[] {
  const { relname, schemaname } = (node ?? {}) as Node
  if (typeof relname !== 'string') return []
  return [{ schema: typeof schemaname === 'string' ? schemaname : undefined, name: relname }]
}

/** The partition that `attach partition` names. */
function partitionIn(body: Node): unknown {
  const [first] = body['cmds'] as readonly { AlterTableCmd?: { def?: { PartitionCmd?: { name?: unknown } } } }[]
  return first?.AlterTableCmd?.def?.PartitionCmd?.name
}

/** The table whose column `owned by` names. */
function ownerOfSequence({ sequence, options }: Node): RelationName[] {
  if (sequence === undefined || !Array.isArray(options)) return []
  const owner = options.find((option) => option.DefElem?.defname === 'owned_by')
  const names = stringsIn(owner)
  const [schema, name] = names.length === 3 ? names : [undefined, names[0]]
  return names.length < 2 || name === undefined ? [] : [{ schema, name }]
}
