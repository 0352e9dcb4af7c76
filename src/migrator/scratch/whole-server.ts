import { describeLocation, locate } from '../files/location.js'
import type { Script } from '../migration.js'
import type { ParsedScript, Statement } from '../statements/statements.js'

/**
 * Statements whose effect reaches beyond the database they run in. In a scratch
 * database they would do to the server what the migration did long ago.
 */
const kinds: Readonly<Record<string, string>> = {
  CreateRoleStmt: 'create role',
  AlterRoleStmt: 'alter role',
  AlterRoleSetStmt: 'alter role … set',
  DropRoleStmt: 'drop role',
  GrantRoleStmt: 'grant or revoke of a role',
  ReassignOwnedStmt: 'reassign owned',
  DropOwnedStmt: 'drop owned',
  CreatedbStmt: 'create database',
  AlterDatabaseStmt: 'alter database',
  AlterDatabaseSetStmt: 'alter database … set',
  DropdbStmt: 'drop database',
  CreateTableSpaceStmt: 'create tablespace',
  AlterTableSpaceOptionsStmt: 'alter tablespace',
  DropTableSpaceStmt: 'drop tablespace',
  AlterSystemStmt: 'alter system',
  CreateSubscriptionStmt: 'create subscription',
  AlterSubscriptionStmt: 'alter subscription',
  DropSubscriptionStmt: 'drop subscription',
}

/** Says where a script reaches beyond its database, undefined when it does not. */
export function reachesBeyond(script: Script, { statements }: ParsedScript): string | undefined {
  for (const { tree, index } of flatten(statements)) {
    const words = kinds[Object.keys(tree ?? {})[0] ?? '']
    if (words === undefined) continue
    const where = describeLocation(locate(script.file, script.text, index))
    return `${where}: ${words} reaches the whole server, so it is not run in a scratch database`
  }
  return undefined
}

/** The statements themselves, those between `begin` and `commit` included. */
export function flatten(statements: readonly Statement[]): readonly Statement[] {
  return statements.flatMap((statement) => statement.block ?? [statement])
}
