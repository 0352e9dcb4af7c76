import type { Node } from '../../statements/statements.js'
import { listAt, namesAt, nodeAt, tableText, textAt, unwrap } from '../../statements/tree.js'
import type { Rule, Subject } from '../rule.js'
import { alteredTable } from '../statement-parts.js'

export const triggersOff: Rule = {
  id: 'triggers-off',
  severity: 'warning',
  summary: 'disable trigger',
  why: 'What the trigger guards or records is neither guarded nor recorded, foreign keys included when all are disabled.',
  safer: 'Let the trigger run, or enable it again at the end of the same migration.',
  test: (subject) => {
    const table = alteredTable(subject)
    if (!table || !has(subject.content, (subtype) => subtype.startsWith('AT_DisableTrig'))) return []
    const { statements } = subject.script
    const later = statements.slice(statements.indexOf(subject.statement) + 1)
    const back = later.some(({ tree }) => {
      const { kind, content } = unwrap(tree)
      return (
        kind === 'AlterTableStmt' &&
        sameRelation(content, subject.content) &&
        has(content, (one) => /^AT_Enable.*Trig/.test(one))
      )
    })
    return back ? [] : [{ message: `the triggers of ${tableText(table)} stay off after this migration` }]
  },
}

export const rowSecurityOff: Rule = {
  id: 'row-security-off',
  severity: 'error',
  summary: 'disable row level security',
  why: 'From then on everybody who may read the table reads every row of it.',
  safer: 'Change the policies instead.',
  test: (subject) => {
    const table = alteredTable(subject)
    if (!table || !has(subject.content, (one) => one === 'AT_DisableRowSecurity' || one === 'AT_NoForceRowSecurity'))
      return []
    return [{ message: `the policies of ${tableText(table)} protect its rows no longer` }]
  },
}

function has(alter: Node, test: (subtype: string) => boolean): boolean {
  return listAt(alter, 'cmds').some((command) => test(textAt(command, 'subtype')))
}

function sameRelation(a: Node, b: Node): boolean {
  return textAt(nodeAt(a, 'relation'), 'relname') === textAt(nodeAt(b, 'relation'), 'relname')
}

export const securityDefiner: Rule = {
  id: 'security-definer-search-path',
  severity: 'error',
  summary: 'a security definer function without a search_path of its own',
  why: 'Whoever calls it chooses where its names are looked up, and can slip in tables and functions that it then uses with the rights of its owner.',
  safer: 'Add set search_path = pg_catalog, pg_temp (and the schemas it needs, before pg_temp) to the function.',
  test: (subject) => {
    const { kind, content } = subject
    const name = definedFunction(kind, content)
    if (!name || !isDefiner(content) || setsPath(content) || isPinnedLater(subject, name)) return []
    return [{ message: `${name} runs with its owner's rights and the search_path of whoever calls it` }]
  },
}

function definedFunction(kind: string, content: Node): string | undefined {
  if (kind === 'CreateFunctionStmt') return namesAt(content, 'funcname').join('.')
  return kind === 'AlterFunctionStmt' ? namesAt(nodeAt(content, 'func'), 'objname').join('.') : undefined
}

function optionsOf(content: Node): readonly Node[] {
  return [...listAt(content, 'options'), ...listAt(content, 'actions')]
}

function isDefiner(content: Node): boolean {
  return optionsOf(content).some(
    (one) => one['defname'] === 'security' && nodeAt(nodeAt(one, 'arg'), 'Boolean')['boolval'] === true,
  )
}

function setsPath(content: Node): boolean {
  return optionsOf(content).some(
    (one) => one['defname'] === 'set' && nodeAt(nodeAt(one, 'arg'), 'VariableSetStmt')['name'] === 'search_path',
  )
}

function isPinnedLater({ script, statement }: Subject, name: string): boolean {
  const { statements } = script
  return statements.slice(statements.indexOf(statement) + 1).some(({ tree }) => {
    const { kind, content } = unwrap(tree)
    return kind === 'AlterFunctionStmt' && definedFunction(kind, content) === name && setsPath(content)
  })
}
