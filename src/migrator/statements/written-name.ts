import { quoteIdentifier, quoteQualified } from '../../database/quote.js'
import type { Node, Statement } from './statements.js'

/** A name as a statement writes it; without a schema it is found by the search path. */
export interface WrittenName {
  readonly schema: string | undefined
  readonly name: string
}

/** The kind of a statement and what it says: `['IndexStmt', {…}]`; an empty kind when there is no tree. */
export function contentOf({ tree }: Pick<Statement, 'tree'>): readonly [string, Node] {
  const [kind = '', content] = Object.entries(tree ?? {})[0] ?? []
  return [kind, node(content)]
}

/** What may be a node as one, for reading without a check at every step. */
export function node(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {}
}

export function list(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.map(node) : []
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The name in a RangeVar. */
export function relationName(value: unknown): WrittenName {
  const { schemaname, relname } = node(value)
  return { schema: text(schemaname), name: text(relname) ?? '' }
}

/** A name as a list of String nodes: `[schema, name]` or `[name]`. */
export function listedName(value: unknown): WrittenName {
  const parts = list(value).map((item) => text(node(item['String'])['sval']) ?? '')
  return { schema: parts.at(-2), name: parts.at(-1) ?? '' }
}

/** The names that a DROP statement lists, whichever way its kind of object is written in the tree. */
export function droppedNames(content: Node): readonly WrittenName[] {
  return list(content['objects']).map((object) => {
    if (object['String']) return { schema: undefined, name: text(node(object['String'])['sval']) ?? '' }
    if (object['TypeName']) return listedName(node(object['TypeName'])['names'])
    if (object['ObjectWithArgs']) return listedName(node(object['ObjectWithArgs'])['objname'])
    return listedName(node(object['List'])['items'])
  })
}

/** The name as SQL. */
export function writtenSql({ schema, name }: WrittenName): string {
  return schema === undefined ? quoteIdentifier(name) : quoteQualified(schema, name)
}
