import type { Node, Statement } from '../statements/statements.js'
import { listAt, nodeAt, tableAt, textAt, unwrap } from '../statements/tree.js'

/** What migrations say about the database as a whole, as far as their text tells. */
export interface Declarations {
  /** Names of the partitions that they make by name. */
  readonly partitions: ReadonlySet<string>
  /** Extensions that they make. */
  readonly madeExtensions: ReadonlySet<string>
  /** Extensions that they make, ask for by a directive, or were chosen for. */
  readonly requiredExtensions: ReadonlySet<string>
  /** Statements that change more than the database they run in: roles, tablespaces, databases by name. */
  readonly beyond: readonly { readonly migration: string; readonly statement: string }[]
}

interface MigrationStatements {
  readonly migration: string
  readonly statements: readonly Statement[]
}

/** Extensions by which a variant of a migration is chosen. */
const platformExtensions = ['timescaledb', 'citus']

/** Reads the declarations off the parse trees; what a function or a DO block does is not seen. */
export function declarationsOf(migrations: readonly MigrationStatements[], required: readonly string[]): Declarations {
  const all = migrations.flatMap(({ statements }) => statements.map(({ tree }) => unwrap(tree)))
  const made = all.filter(({ kind }) => kind === 'CreateExtensionStmt').map(({ content }) => textAt(content, 'extname'))
  return {
    partitions: new Set(all.flatMap(({ kind, content }) => partitionsIn(kind, content))),
    madeExtensions: new Set(made),
    requiredExtensions: new Set([...made, ...required, ...platformExtensions]),
    beyond: migrations.flatMap(({ migration, statements }) =>
      statements
        .filter(({ tree }) => clusterWide.has(unwrap(tree).kind))
        .map(({ sql }) => ({ migration, statement: sql })),
    ),
  }
}

function partitionsIn(kind: string, content: Node): readonly string[] {
  if (kind === 'CreateStmt' && content['partbound']) return [textAt(nodeAt(content, 'relation'), 'relname')]
  if (kind !== 'AlterTableStmt') return []
  return listAt(content, 'cmds')
    .filter((command) => textAt(command, 'subtype') === 'AT_AttachPartition')
    .flatMap((command) => tableAt(nodeAt(nodeAt(command, 'def'), 'PartitionCmd'), 'name')?.table ?? [])
}

/** https://www.postgresql.org/docs/current/managing-databases.html: what is shared by all databases of a server. */
const clusterWide: ReadonlySet<string> = new Set([
  'CreateRoleStmt',
  'AlterRoleStmt',
  'AlterRoleSetStmt',
  'DropRoleStmt',
  'GrantRoleStmt',
  'ReassignOwnedStmt',
  'DropOwnedStmt',
  'CreatedbStmt',
  'AlterDatabaseStmt',
  'AlterDatabaseSetStmt',
  'AlterDatabaseRefreshCollStmt',
  'DropdbStmt',
  'AlterSystemStmt',
  'CreateTableSpaceStmt',
  'AlterTableSpaceOptionsStmt',
  'DropTableSpaceStmt',
  'CreateSubscriptionStmt',
  'AlterSubscriptionStmt',
  'DropSubscriptionStmt',
])
