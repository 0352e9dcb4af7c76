import { joinRules, type Limit, noRules, type PartitionRules, type Rules } from './model.js'

type Node = Readonly<Record<string, unknown>>

/** Turns conditions and partition bounds, as the server writes them, into rules; loads PostgreSQL's parser once. */
export interface ConditionReader {
  /** The rules that a condition sets for single columns; what it says beyond them is not there. */
  columnRules(condition: string): Readonly<Record<string, Rules>>
  /** Whether the rules say all that the condition says. */
  isRead(condition: string): boolean
  /** The rules of one partition, for the columns of its parent's key. */
  partitionRules(bound: string, key: readonly string[]): PartitionRules
}

export async function conditionReader(): Promise<ConditionReader> {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  const parse = (text: string) => (parseSync(text) as unknown as { stmts: readonly { stmt: Node }[] }).stmts[0]?.stmt
  return {
    columnRules: (condition) => readCondition(at(parse(`select 1 where ${condition}`), 'SelectStmt', 'whereClause')),
    isRead: (condition) => {
      const parts = allParts(at(parse(`select 1 where ${condition}`), 'SelectStmt', 'whereClause'))
      return parts?.every((part) => Object.keys(simpleRule(part)).length > 0) === true
    },
    partitionRules: (bound, key) =>
      readBound(at(parse(`create table t partition of p ${bound}`), 'CreateStmt', 'partbound'), key),
  }
}

/** The conditions that hold for every row, taken apart at `and`. */
function readCondition(tree: Node | undefined): Readonly<Record<string, Rules>> {
  const rules: Record<string, Rules> = {}
  for (const part of conjuncts(tree)) {
    for (const [column, rule] of Object.entries(simpleRule(part))) {
      rules[column] = joinRules(rules[column] ?? noRules, rule)
    }
  }
  return rules
}

/** The same parts as `conjuncts`; undefined when there is something that is none. */
function allParts(tree: Node | undefined): readonly Node[] | undefined {
  const bool = at(tree, 'BoolExpr')
  if (!bool) return conjuncts(tree)
  const args = nodes(bool['args'])
  const parts = bool['boolop'] === 'AND_EXPR' ? args.map(allParts) : [conjuncts(tree)]
  return parts.some((list) => list === undefined || list.length === 0) ? undefined : parts.flatMap((list) => list ?? [])
}

function conjuncts(tree: Node | undefined): readonly Node[] {
  const bool = at(tree, 'BoolExpr')
  if (!tree || bool?.['boolop'] === 'NOT_EXPR') return []
  if (bool?.['boolop'] === 'AND_EXPR') return nodes(bool['args']).flatMap(conjuncts)
  // `x is null or …` leaves null to chance and says what the others are.
  if (bool?.['boolop'] === 'OR_EXPR') {
    const others = nodes(bool['args']).filter((arm) => at(arm, 'NullTest')?.['nulltesttype'] !== 'IS_NULL')
    return others.length === 1 ? conjuncts(others[0]) : []
  }
  return [tree]
}

function simpleRule(tree: Node): Readonly<Record<string, Rules>> {
  const test = at(tree, 'NullTest')
  if (test) {
    const column = columnOf(at(test, 'arg'))
    return column && test['nulltesttype'] === 'IS_NOT_NULL' ? { [column]: { notNull: true } } : {}
  }
  const expression = at(tree, 'A_Expr')
  if (!expression) return {}
  const operator = names(expression['name']).at(-1) ?? ''
  const left = at(expression, 'lexpr')
  const right = at(expression, 'rexpr')
  if (expression['kind'] === 'AEXPR_OP_ANY' && operator === '=') return listRule(left, right)
  if (expression['kind'] !== 'AEXPR_OP') return {}
  return comparison(operator, left, right) ?? comparison(mirrored[operator] ?? '', right, left) ?? {}
}

const mirrored: Readonly<Record<string, string>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=', '=': '=', '<>': '<>' }

function listRule(left: Node | undefined, right: Node | undefined): Readonly<Record<string, Rules>> {
  const column = columnOf(left)
  const values = nodes(at(bare(right), 'A_ArrayExpr')?.['elements']).map(constantOf)
  const known = values.filter((value) => value !== undefined)
  return column && known.length === values.length && known.length > 0 ? { [column]: { oneOf: known } } : {}
}

function comparison(
  operator: string,
  left: Node | undefined,
  right: Node | undefined,
): Readonly<Record<string, Rules>> | undefined {
  const column = columnOf(left)
  const value = constantOf(right)
  const other = columnOf(right)
  if (column && other && operator === '=') return { [column]: { sameAs: other } }
  if (column && other && operator.startsWith('>')) return { [column]: { above: other } }
  if (column && value !== undefined) return valueRule(column, operator, value)
  const measured = measuredColumn(left)
  return measured && value !== undefined ? lengthRule(measured, operator, Number(value)) : undefined
}

function valueRule(column: string, operator: string, value: string): Readonly<Record<string, Rules>> | undefined {
  if (operator === '=') return { [column]: { oneOf: [value] } }
  if (operator === '<>') return { [column]: { noneOf: [value] } }
  if (operator === '>' || operator === '>=') return { [column]: { min: { value, inclusive: operator === '>=' } } }
  if (operator === '<' || operator === '<=') return { [column]: { max: { value, inclusive: operator === '<=' } } }
  return undefined
}

function lengthRule(column: string, operator: string, value: number): Readonly<Record<string, Rules>> | undefined {
  if (operator === '>') return { [column]: { minLength: value + 1 } }
  if (operator === '>=') return { [column]: { minLength: value } }
  if (operator === '<') return { [column]: { maxLength: value - 1 } }
  if (operator === '<=') return { [column]: { maxLength: value } }
  if (operator === '=') return { [column]: { minLength: value, maxLength: value } }
  return undefined
}

/** The column in `length(column)`; trimmed or not, because sample texts have no blanks at their ends in the end. */
function measuredColumn(tree: Node | undefined): string | undefined {
  const call = at(bare(tree), 'FuncCall')
  const name = names(call?.['funcname']).at(-1) ?? ''
  const [argument] = nodes(call?.['args'])
  if (['length', 'char_length', 'character_length'].includes(name))
    return columnOf(argument) ?? measuredColumn(argument)
  return name === 'btrim' ? columnOf(argument) : undefined
}

function readBound(bound: Node | undefined, key: readonly string[]): PartitionRules {
  if (bound?.['strategy'] === 'l') return listBound(nodes(bound['listdatums']), key[0])
  if (bound?.['strategy'] !== 'r' || bound['is_default']) return {}
  return rangeBound(nodes(bound['lowerdatums']), nodes(bound['upperdatums']), key)
}

function listBound(datums: readonly Node[], column: string | undefined): PartitionRules {
  const values = datums.map(constantOf).filter((value) => value !== undefined)
  return column !== undefined && values.length > 0 ? { [column]: { oneOf: values, notNull: true } } : {}
}

/**
 * A row lies in a range partition when its key is not below the lower tuple and below the
 * upper one: columns whose two bounds are equal have that value, and the first whose
 * bounds differ decides.
 */
function rangeBound(lower: readonly Node[], upper: readonly Node[], key: readonly string[]): PartitionRules {
  const rules: Record<string, Rules> = {}
  for (const [i, column] of key.entries()) {
    const from = constantOf(lower[i])
    const to = constantOf(upper[i])
    if (from !== undefined && from === to) {
      rules[column] = { oneOf: [from], notNull: true }
      continue
    }
    const min: Limit | undefined = from === undefined ? undefined : { value: from, inclusive: i === key.length - 1 }
    const max: Limit | undefined = to === undefined ? undefined : { value: to, inclusive: false }
    rules[column] = { ...(min ? { min } : {}), ...(max ? { max } : {}), notNull: true }
    break
  }
  return rules
}

function columnOf(tree: Node | undefined): string | undefined {
  const fields = at(bare(tree), 'ColumnRef')?.['fields']
  const path = names(fields)
  return path.length === 1 && nodes(fields).length === 1 ? path[0] : undefined
}

function constantOf(tree: Node | undefined): string | undefined {
  const constant = at(bare(tree), 'A_Const')
  if (!constant || constant['isnull']) return undefined
  // The parser leaves zeros, empty texts and false out.
  if ('ival' in constant) return String(at(constant, 'ival')?.['ival'] ?? 0)
  if ('fval' in constant) return String(at(constant, 'fval')?.['fval'] ?? 0)
  if ('sval' in constant) return String(at(constant, 'sval')?.['sval'] ?? '')
  if ('boolval' in constant) return String(at(constant, 'boolval')?.['boolval'] ?? false)
  return undefined
}

/** Without the casts around it. */
function bare(tree: Node | undefined): Node | undefined {
  const cast = at(tree, 'TypeCast')
  return cast ? bare(at(cast, 'arg')) : tree
}

function at(tree: Node | undefined, ...path: readonly string[]): Node | undefined {
  return path.reduce<Node | undefined>((node, step) => node?.[step] as Node | undefined, tree)
}

function nodes(list: unknown): readonly Node[] {
  return Array.isArray(list) ? (list as readonly Node[]) : []
}

function names(list: unknown): readonly string[] {
  return nodes(list).flatMap((node) => {
    const name = at(node, 'String')
    return name ? [String(name['sval'] ?? '')] : []
  })
}
