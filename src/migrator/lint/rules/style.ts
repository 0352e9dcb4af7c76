import { columnTypeOf } from '../../statements/column-type.js'
import { nodeAt, nodesAt, tableIn, tableText, unwrap } from '../../statements/tree.js'
import type { Rule, Subject } from '../rule.js'
import { columnName, constraintOf, definedColumns } from '../statement-parts.js'

export const preferIdentity: Rule = {
  id: 'prefer-identity',
  severity: 'notice',
  summary: 'serial',
  why: 'The sequence of a serial column has rights and a life of its own, and any insert can go around it.',
  safer: 'Use bigint generated always as identity.',
  test: ofType(/^(small|big)?serial[248]?$/, (column) => `${column} is a serial`),
}

export const preferTimestamptz: Rule = {
  id: 'prefer-timestamptz',
  severity: 'notice',
  summary: 'timestamp without time zone',
  why: 'It holds what a clock somewhere showed, without saying where: the moment it means is lost.',
  safer: 'Use timestamptz, which holds a moment.',
  test: ofType(/^timestamp$/, (column) => `${column} is a timestamp without time zone`),
}

export const preferJsonb: Rule = {
  id: 'prefer-jsonb',
  severity: 'notice',
  summary: 'json',
  why: 'It is text that is parsed anew by every query; it has no equality and no indexes.',
  safer: 'Use jsonb, unless the very text has to be kept.',
  test: ofType(/^json$/, (column) => `${column} is json`),
}

export const preferText: Rule = {
  id: 'prefer-text',
  severity: 'notice',
  summary: 'char(n)',
  why: 'It is padded with blanks that count in some comparisons and not in others, and saves nothing.',
  safer: 'Use text, with a check on its length where one is needed.',
  test: ofType(/^bpchar$/, (column) => `${column} is a char(n)`),
}

function ofType(
  type: RegExp,
  message: (column: string) => string,
): (subject: Subject) => readonly { message: string }[] {
  return (subject) =>
    definedColumns(subject)
      .filter(({ column }) => type.test(columnTypeOf(nodeAt(column, 'typeName')).name))
      .map(({ table, column }) => ({ message: message(`${tableText(table)}.${columnName(column)}`) }))
}

export const smallKey: Rule = {
  id: 'int-primary-key',
  severity: 'notice',
  summary: 'an int primary key that numbers itself',
  why: 'It ends at 2,147,483,647, and making it a bigint later writes the table and all that refer to it anew.',
  safer: 'Use bigint.',
  test: (subject) =>
    definedColumns(subject)
      .filter(({ column }) => {
        const type = columnTypeOf(nodeAt(column, 'typeName')).name
        const numbered = type === 'int4' && constraintOf(column, 'CONSTR_IDENTITY') !== undefined
        return constraintOf(column, 'CONSTR_PRIMARY') && (numbered || type === 'serial' || type === 'serial4')
      })
      .map(({ table, column }) => ({ message: `${tableText(table)}.${columnName(column)} runs out at 2,147,483,647` })),
}

export const withoutPrimaryKey: Rule = {
  id: 'table-without-primary-key',
  severity: 'notice',
  summary: 'a table without a primary key',
  why: 'Its rows cannot be told apart: not by logical replication, not by whoever has to mend one of them.',
  safer: 'Give it a primary key.',
  testMigration: ({ up, final }) => {
    const made = (up?.statements ?? []).filter(({ tree }) => {
      const { kind, content } = unwrap(tree)
      if (kind !== 'CreateStmt' || nodeAt(content, 'relation')['relpersistence'] === 't') return false
      // What it is like, a part of or typed by may bring the key.
      const bringsKey =
        content['inhRelations'] ||
        content['ofTypename'] ||
        nodesAt(content, 'tableElts').some((one) => one['TableLikeClause'])
      if (bringsKey) return false
      const table = final.find(tableIn(nodeAt(content, 'relation')))
      return table !== undefined && ![...table.constraints.values()].some((one) => one.type === 'key')
    })
    return made.map((statement) => {
      const table = tableIn(nodeAt(unwrap(statement.tree).content, 'relation'))
      return { message: `${tableText(table)} has no primary key`, statement }
    })
  },
}
