import type { TableName } from '../preservation/touched-tables.js'
import type { Node } from './statements.js'

/** The kind of a statement or expression and what it holds: `{IndexStmt: {…}}` taken apart. */
export function unwrap(node: Node | undefined): { readonly kind: string; readonly content: Node } {
  const [kind = '', content] = Object.entries(node ?? {})[0] ?? []
  return { kind, content: isNode(content) ? content : {} }
}

/** The node at `key`, empty when there is none. */
export function nodeAt(node: Node, key: string): Node {
  const value = node[key]
  return isNode(value) ? value : {}
}

/** The list at `key`, each member taken out of the wrapper that names its kind. */
export function listAt(node: Node, key: string): readonly Node[] {
  return nodesAt(node, key).map((member) => unwrap(member).content)
}

/** The list at `key` as it stands. */
export function nodesAt(node: Node, key: string): readonly Node[] {
  const value = node[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The text at `key`, empty when there is none. */
export function textAt(node: Node, key: string): string {
  const value = node[key]
  return typeof value === 'string' ? value : ''
}

/** The strings of the list at `key`: the parts of a qualified name, the columns of a constraint. */
export function namesAt(node: Node, key: string): readonly string[] {
  return listAt(node, key).map((member) => textAt(member, 'sval'))
}

/** The table that a RangeVar names. */
export function tableIn(rangeVar: Node): TableName {
  return { schema: textAt(rangeVar, 'schemaname') || undefined, table: textAt(rangeVar, 'relname') }
}

/** The table at `key`, undefined when the statement names none. */
export function tableAt(node: Node, key: string): TableName | undefined {
  const rangeVar = nodeAt(node, key)
  return textAt(rangeVar, 'relname') ? tableIn(rangeVar) : undefined
}

/** The tables of a list of RangeVars. */
export function tablesAt(node: Node, key: string): readonly TableName[] {
  return listAt(node, key).map(tableIn)
}

/** The table that the parts of a name stand for: `[schema, table]` or `[table]`. */
export function tableOfNames(names: readonly string[]): TableName {
  return { schema: names.at(-2), table: names.at(-1) ?? '' }
}

/** The options of a statement by name; an option without a value is true. */
export function optionsAt(node: Node, key: string): ReadonlyMap<string, unknown> {
  return new Map(listAt(node, key).map((option) => [textAt(option, 'defname'), optionValue(option)]))
}

/** Whether a boolean option is on: `full`, `(full)`, `(full true)`, `(full on)`, `(full 1)`. */
export function isOn(options: ReadonlyMap<string, unknown>, name: string): boolean {
  return options.has(name) && !['false', 'off', '0'].includes(String(options.get(name)).toLowerCase())
}

function optionValue(option: Node): unknown {
  if (option['arg'] === undefined) return true
  const { content } = unwrap(nodeAt(option, 'arg'))
  return content['sval'] ?? content['ival'] ?? content['boolval'] ?? content['fval'] ?? 0
}

/** Whether anything in the tree passes `test`, which is given the kind and the content of every node. */
export function someNode(tree: unknown, test: (kind: string, content: Node) => boolean): boolean {
  if (Array.isArray(tree)) return tree.some((member) => someNode(member, test))
  if (!isNode(tree)) return false
  return Object.entries(tree).some(
    ([kind, content]) => (isNode(content) && test(kind, content)) || someNode(content, test),
  )
}

/** The columns that an expression names, without their tables. */
export function columnsIn(expression: unknown): readonly string[] {
  const columns = new Set<string>()
  someNode(expression, (kind, content) => {
    if (kind === 'ColumnRef') columns.add(namesAt(content, 'fields').at(-1) ?? '')
    return false
  })
  return [...columns]
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function sameTable(a: TableName, b: TableName): boolean {
  return a.table === b.table && (a.schema === b.schema || a.schema === undefined || b.schema === undefined)
}

/** `schema.table`, as it is written in messages. */
export function tableText({ schema, table }: TableName): string {
  return schema === undefined ? table : `${schema}.${table}`
}
