import type { Node } from '../statements/statements.js'

/** Where a statement compares the key with the bounds of a batch. */
export interface BoundUse {
  /** Bytes of UTF-8 before each operator that leaves the lower bound out: `>`, or `<` when the bound stands on its left. */
  readonly lowerOperators: readonly number[]
  readonly problems: readonly string[]
}

/**
 * Finds in a statement `key > $1 and key <= $2`, or the same as a comparison of rows.
 *
 * A batch has to take in exactly the rows above the last key of the one before, up to
 * and with its own last key: `>=` would do the row between two batches twice, `<` would
 * leave it out. Other uses of the parameters are the author's affair.
 *
 * @param tree of the statement parsed by itself, so that its places count from the statement's beginning
 */
export function findBounds(tree: Node, key: readonly string[]): BoundUse {
  const lower = key.map((_, i) => i + 1)
  const upper = key.map((_, i) => key.length + i + 1)
  const all = comparisons(tree).filter((one) => sameList(one.columns, key))
  const above = all.filter((one) => sameList(one.parameters, lower))
  const upTo = all.filter((one) => sameList(one.parameters, upper))
  const problems = [
    ...parameterProblems(parametersIn(tree), [...lower, ...upper]),
    ...operatorProblem(above, '>', key, lower, 'a batch begins above its lower bound'),
    ...operatorProblem(upTo, '<=', key, upper, 'a batch ends with its upper bound'),
  ]
  return { lowerOperators: above.filter((one) => one.operator === '>').map((one) => one.at), problems }
}

/** The numbers of the parameters in a tree, each once, in order. */
export function parametersIn(tree: unknown): readonly number[] {
  const numbers = [...nodesOf(tree, 'ParamRef')].map((node) => Number(node['number'] ?? 0))
  return [...new Set(numbers)].sort((a, b) => a - b)
}

/** Every node of a kind anywhere in a tree, except below the nodes that `skip` names. */
export function* nodesOf(tree: unknown, kind: string, skip?: (kind: string, content: Node) => boolean): Iterable<Node> {
  if (Array.isArray(tree)) {
    for (const item of tree) yield* nodesOf(item, kind, skip)
    return
  }
  if (typeof tree !== 'object' || tree === null) return
  for (const [name, content] of Object.entries(tree)) {
    if (typeof content !== 'object' || content === null || skip?.(name, content as Node)) continue
    if (name === kind) yield content as Node
    yield* nodesOf(content, kind, skip)
  }
}

function parameterProblems(used: readonly number[], wanted: readonly number[]): readonly string[] {
  const missing = wanted.filter((number) => !used.includes(number))
  const unknown = used.filter((number) => !wanted.includes(number))
  const has = `a batch has the bounds ${wanted.map((number) => `$${number}`).join(', ')}`
  return [
    ...(missing.length > 0
      ? [`the statement does not use ${missing.map((number) => `$${number}`).join(', ')}; ${has}`]
      : []),
    ...(unknown.length > 0 ? [`nothing is bound to ${unknown.map((number) => `$${number}`).join(', ')}; ${has}`] : []),
  ]
}

function operatorProblem(
  found: readonly Comparison[],
  operator: string,
  key: readonly string[],
  numbers: readonly number[],
  rule: string,
): readonly string[] {
  if (found.some((one) => one.operator === operator)) return []
  const wanted = `${asRow(key)} ${operator} ${asRow(numbers.map((number) => `$${number}`))}`
  const instead = found[0] ? `, not ${found[0].operator}` : ''
  return [`${rule}: write ${wanted}${instead}`]
}

function asRow(items: readonly string[]): string {
  return items.length === 1 ? items.join('') : `(${items.join(', ')})`
}

interface Comparison {
  readonly columns: readonly string[]
  readonly parameters: readonly number[]
  /** As it reads with the columns on the left. */
  readonly operator: string
  readonly at: number
}

/** Comparisons of columns with parameters, whichever stands on the left; one below OR or NOT bounds nothing. */
function comparisons(tree: Node): readonly Comparison[] {
  const bounding = nodesOf(tree, 'A_Expr', (kind, node) => kind === 'BoolExpr' && node['boolop'] !== 'AND_EXPR')
  return [...bounding].flatMap((node) => comparison(node) ?? [])
}

const mirrored: Readonly<Record<string, string>> = { '>': '<', '<': '>', '>=': '<=', '<=': '>=' }

function comparison(node: Node): Comparison | undefined {
  const [name, ...more] = (node['name'] ?? []) as readonly { String?: { sval?: string } }[]
  const operator = name?.String?.sval ?? ''
  if (node['kind'] !== 'AEXPR_OP' || more.length > 0 || !(operator in mirrored)) return undefined
  const at = Number(node['location'] ?? 0)
  const left = itemsOf(node['lexpr'])
  const right = itemsOf(node['rexpr'])
  const columns = columnsOf(left)
  const parameters = numbersOf(right)
  if (columns && parameters) return { columns, parameters, operator, at }
  const columnsRight = columnsOf(right)
  const parametersLeft = numbersOf(left)
  if (!columnsRight || !parametersLeft) return undefined
  return { columns: columnsRight, parameters: parametersLeft, operator: mirrored[operator] ?? operator, at }
}

/** The parts of a row, or the one expression; casts are looked through. */
function itemsOf(expression: unknown): readonly Node[] {
  const node = (expression ?? {}) as Node
  const row = node['RowExpr'] as { args?: readonly Node[] } | undefined
  return (row?.args ?? [node]).map(withoutCast)
}

function withoutCast(node: Node): Node {
  const cast = node['TypeCast'] as { arg?: Node } | undefined
  return cast?.arg ? withoutCast(cast.arg) : node
}

function columnsOf(items: readonly Node[]): readonly string[] | undefined {
  const names = items.map((item) => {
    const fields = ((item['ColumnRef'] as Node | undefined)?.['fields'] ?? []) as readonly {
      String?: { sval?: string }
    }[]
    return fields.at(-1)?.String?.sval
  })
  return names.every((name) => name !== undefined) ? names : undefined
}

function numbersOf(items: readonly Node[]): readonly number[] | undefined {
  const numbers = items.map((item) => (item['ParamRef'] as Node | undefined)?.['number'])
  return numbers.every((number) => typeof number === 'number') ? (numbers as number[]) : undefined
}

function sameList<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((item, i) => item === other[i])
}
