import { listAt, namesAt, nodeAt, tableText, textAt, unwrap } from '../../statements/tree.js'
import type { Complaint, Rule, Subject } from '../rule.js'
import { addedColumn, addedConstraint, columnName, complainOf, constraintOf } from '../statement-parts.js'

export const foreignKeyValidates: Rule = {
  id: 'foreign-key-validates',
  severity: 'error',
  summary: 'a foreign key without not valid',
  why: 'Both tables are locked against writes (SHARE ROW EXCLUSIVE) while every row is looked up.',
  safer: 'Add it with not valid, and run validate constraint in a later migration: that lets reads and writes through.',
  test: (subject) => [
    ...complainOf(subject, 'AT_AddConstraint', (command, table) => {
      const constraint = addedConstraint(command)
      if (constraint['contype'] !== 'CONSTR_FOREIGN' || isUnchecked(constraint)) return undefined
      const other = textAt(nodeAt(constraint, 'pktable'), 'relname')
      return `this foreign key blocks writes to ${subject.describe(table)} and ${other} while every row is checked`
    }),
    ...complainOf(subject, 'AT_AddColumn', (command, table) => {
      const column = addedColumn(command)
      if (!constraintOf(column, 'CONSTR_FOREIGN') || !constraintOf(column, 'CONSTR_DEFAULT')) return undefined
      return `the default of ${columnName(column)} is looked up for every row of ${subject.describe(table)}, which is locked meanwhile`
    }),
  ],
}

export const checkValidates: Rule = {
  id: 'check-validates',
  severity: 'error',
  summary: 'a check constraint without not valid',
  why: 'The table is locked against readers and writers (ACCESS EXCLUSIVE) while every row is checked.',
  safer: 'Add it with not valid, and run validate constraint in a later migration: that lets reads and writes through.',
  test: (subject) => [
    ...complainOf(subject, 'AT_AddConstraint', (command, table) => {
      const constraint = addedConstraint(command)
      if (constraint['contype'] !== 'CONSTR_CHECK' || isUnchecked(constraint)) return undefined
      return `this check locks ${subject.describe(table)} while every row is read`
    }),
    ...complainOf(subject, 'AT_AddColumn', (command, table) => {
      const column = addedColumn(command)
      const check = constraintOf(column, 'CONSTR_CHECK')
      if (!check || isUnchecked(check)) return undefined
      return `the check on ${columnName(column)} locks ${subject.describe(table)} while every row is read`
    }),
  ],
}

function isUnchecked(constraint: { readonly [key: string]: unknown }): boolean {
  return constraint['skip_validation'] === true || constraint['is_enforced'] !== true
}

export const setNotNullScans: Rule = {
  id: 'set-not-null-scans',
  severity: 'error',
  summary: 'set not null without a validated check',
  why: 'The table is locked against readers and writers (ACCESS EXCLUSIVE) while every row is read.',
  safer:
    'Add check (column is not null) not valid, validate it in a later migration, and then set not null, which trusts it. From PostgreSQL 18 on: add constraint … not null column not valid, and validate that.',
  test: (subject) => [
    ...complainOf(subject, 'AT_SetNotNull', (command, table) => {
      const column = textAt(command, 'name')
      return subject.model.isNotNull(table, column) ? undefined : required(subject, column, tableText(table))
    }),
    ...complainOf(subject, 'AT_AddConstraint', (command, table) => {
      const constraint = addedConstraint(command)
      const [column = ''] = namesAt(constraint, 'keys')
      if (constraint['contype'] !== 'CONSTR_NOTNULL' || constraint['skip_validation']) return undefined
      return subject.model.isNotNull(table, column) ? undefined : required(subject, column, tableText(table))
    }),
  ],
}

function required({ script }: Subject, column: string, table: string): Complaint {
  const check = `alter table ${table} add constraint ${column}_required check (${column} is not null) not valid`
  const constraint = `alter table ${table} add constraint ${column}_required not null ${column} not valid`
  const first = script.serverVersion >= 180000 ? constraint : check
  const last = script.serverVersion >= 180000 ? '' : ', then set not null, which trusts it'
  return {
    message: `making ${table}.${column} not null locks ${table} while every row is read`,
    safer: `Begin with ${first}; in a later migration validate constraint ${column}_required${last}.`,
  }
}

export const constraintBuildsIndex: Rule = {
  id: 'constraint-builds-index',
  severity: 'error',
  summary: 'a primary key or unique constraint without using index',
  why: 'The table is locked against readers and writers (ACCESS EXCLUSIVE) while the index is built.',
  safer: 'Create a unique index concurrently, and add the constraint using that index in the next migration.',
  test: (subject) => [
    ...complainOf(subject, 'AT_AddConstraint', (command, table) => {
      const constraint = addedConstraint(command)
      const word = builders[textAt(constraint, 'contype')]
      if (!word || textAt(constraint, 'indexname')) return undefined
      const message = `this ${word} locks ${subject.describe(table)} while its index is built`
      if (word !== 'exclusion constraint') return message
      return { message, safer: 'No gentler form exists: run it when nobody needs the table.' }
    }),
    ...complainOf(subject, 'AT_AddColumn', (command, table) => {
      const column = addedColumn(command)
      const unique = constraintOf(column, 'CONSTR_UNIQUE') ?? constraintOf(column, 'CONSTR_PRIMARY')
      if (!unique) return undefined
      return `the index of ${columnName(column)} is built while ${subject.describe(table)} is locked`
    }),
  ],
}

const builders: Readonly<Record<string, string>> = {
  CONSTR_PRIMARY: 'primary key',
  CONSTR_UNIQUE: 'unique constraint',
  CONSTR_EXCLUSION: 'exclusion constraint',
}

export const validateInSameTransaction: Rule = {
  id: 'validate-in-same-transaction',
  severity: 'warning',
  summary: 'a constraint is added and validated in one transaction',
  why: 'The strong lock that adding it took is kept until the end, so that validating it blocks everybody after all.',
  safer: 'Put validate constraint into a migration of its own.',
  test: (subject) =>
    complainOf(subject, 'AT_ValidateConstraint', (command, table) => {
      const name = textAt(command, 'name')
      if (!addsConstraint(subject, name)) return undefined
      return `${name} is validated while the lock on ${tableText(table)} that adding it took is still held`
    }),
}

function addsConstraint({ transaction, statement }: Subject, name: string): boolean {
  return transaction.slice(0, transaction.indexOf(statement)).some(({ tree }) => {
    const { kind, content } = unwrap(tree)
    if (kind !== 'AlterTableStmt') return false
    return listAt(content, 'cmds').some((command) => textAt(addedConstraint(command), 'conname') === name)
  })
}
