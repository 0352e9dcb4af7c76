import { mayDiffer } from '../../effects/alter-table.js'
import { columnTypeOf, columnTypeText } from '../../statements/column-type.js'
import { nodeAt, tableText, textAt } from '../../statements/tree.js'
import type { Rule } from '../rule.js'
import { addedColumn, alteredTable, columnName, complainOf, constraintOf } from '../statement-parts.js'

export const columnTypeRewrite: Rule = {
  id: 'column-type-rewrite',
  severity: 'error',
  summary: 'a column type change that writes the whole table anew',
  why: 'The table and its indexes are written anew while nobody can read or write it (ACCESS EXCLUSIVE).',
  safer:
    'Add a column of the new type, fill it in batches, keep it up to date with a trigger, and switch over in a later migration. Widening varchar(n), varchar to text and raising the precision of numeric rewrite nothing.',
  test: (subject) =>
    complainOf(subject, 'AT_AlterColumnType', (command, table) => {
      if (subject.effect.rewrites.length === 0) return undefined
      const column = textAt(command, 'name')
      const to = columnTypeText(columnTypeOf(nodeAt(addedColumn(command), 'typeName')))
      const from = subject.model.columnType(table, column)
      const doubt = from ? `from ${columnTypeText(from)} to ${to} writes` : `to ${to} writes, as far as the files tell,`
      return `changing ${tableText(table)}.${column} ${doubt} ${subject.describe(table)} anew while it is locked`
    }),
}

export const volatileDefault: Rule = {
  id: 'volatile-default',
  severity: 'error',
  summary: 'a new column whose default differs from row to row',
  why: 'A constant default is kept in the catalog; one that has to be computed for each row writes the table anew while it is locked (ACCESS EXCLUSIVE).',
  safer: 'Add the column without a default, set the default in a second statement, and fill the old rows in batches.',
  test: (subject) =>
    complainOf(subject, 'AT_AddColumn', (command, table) => {
      const column = addedColumn(command)
      const value = constraintOf(column, 'CONSTR_DEFAULT')?.['raw_expr']
      const why = serials.test(columnTypeOf(nodeAt(column, 'typeName')).name)
        ? 'numbers'
        : constraintOf(column, 'CONSTR_IDENTITY')
          ? 'numbers'
          : value !== undefined && mayDiffer(value)
            ? 'computes'
            : undefined
      if (!why) return undefined
      return `the default of ${columnName(column)} ${why} every row, which writes ${subject.describe(table)} anew while it is locked`
    }),
}

const serials = /^(small|big)?serial[248]?$/

export const storedGeneratedColumn: Rule = {
  id: 'stored-generated-column',
  severity: 'error',
  summary: 'a new column that is generated and stored',
  why: 'Its values are computed for every row, which writes the table anew while it is locked (ACCESS EXCLUSIVE).',
  safer:
    'Add an ordinary column, keep it up to date with a trigger, and fill the old rows in batches; from PostgreSQL 18 on a virtual generated column costs nothing.',
  test: (subject) =>
    complainOf(subject, 'AT_AddColumn', (command, table) => {
      const column = addedColumn(command)
      if (constraintOf(column, 'CONSTR_GENERATED')?.['generated_kind'] !== 's') return undefined
      return `computing ${columnName(column)} writes ${subject.describe(table)} anew while it is locked`
    }),
}

export const addColumnNotNull: Rule = {
  id: 'add-column-not-null',
  severity: 'error',
  summary: 'a new column that is not null and has no default',
  why: 'It fails as soon as the table has one row.',
  safer: 'Give it a default, or add it without not null, fill it in batches, and require it in a later migration.',
  test: (subject) =>
    complainOf(subject, 'AT_AddColumn', (command, table) => {
      const column = addedColumn(command)
      const filled = ['CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED'].some((type) =>
        constraintOf(column, type),
      )
      const serial = serials.test(columnTypeOf(nodeAt(column, 'typeName')).name)
      if (!constraintOf(column, 'CONSTR_NOTNULL') || filled || serial) return undefined
      return `${columnName(column)} is not null and has no default, which fails if ${subject.describe(table)} has a row`
    }),
}

export const tableRewrite: Rule = {
  id: 'table-rewrite',
  severity: 'error',
  summary: 'set logged, unlogged, tablespace, access method or expression',
  why: 'The table is copied while nobody can read or write it (ACCESS EXCLUSIVE).',
  safer: 'Run it when nobody needs the table, or move the rows in batches to a table made the new way.',
  test: (subject) => {
    const table = alteredTable(subject)
    if (!table || subject.effect.rewrites.length === 0) return []
    const words = rewriting.filter((one) => subject.effect.kind.includes(one))
    return words.map((word) => ({ message: `${word} copies ${subject.describe(table)} while it is locked` }))
  },
}

const rewriting = ['set logged', 'set unlogged', 'set tablespace', 'set access method', 'alter column set expression']
