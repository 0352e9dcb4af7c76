import type { TableRows } from '../../database/table-rows.js'
import type { TableName } from '../preservation/touched-tables.js'
import type { Node, Statement } from '../statements/statements.js'
import {
  listAt,
  namesAt,
  nodeAt,
  nodesAt,
  tableAt,
  tableIn,
  tableOfNames,
  tablesAt,
  textAt,
  unwrap,
} from '../statements/tree.js'

/** What a plan knows of a table before one of its statements runs. */
export interface TableState {
  readonly schema: string
  readonly table: string
  /** Estimated; null where nothing is known. */
  readonly rows: number | null
  /** `existing`: in the catalog; `new`: made by the plan itself; `unknown`: neither. */
  readonly origin: 'existing' | 'new' | 'unknown'
}

/**
 * The tables of a database as they change from statement to statement of a plan.
 *
 * A table that the plan makes is empty until something is written into it; one that it
 * renames keeps its rows. What a DO block or a function does cannot be followed.
 */
export class TableBook {
  readonly #tables = new Map<string, TableState>()
  readonly #searchPath: readonly string[]

  /** @param searchPath the schemas in which a name without one is looked up; new tables go into the first. */
  constructor(catalog: readonly TableRows[], searchPath: readonly string[]) {
    this.#searchPath = searchPath
    for (const { schema, name, rows } of catalog) this.#put({ schema, table: name, rows, origin: 'existing' })
  }

  /** The table that a statement means by `name`. */
  find({ schema, table }: TableName): TableState {
    const schemas = schema === undefined ? this.#searchPath : [schema]
    const found = schemas.map((one) => this.#tables.get(key(one, table))).find((state) => state !== undefined)
    return found ?? { schema: schemas[0] ?? 'public', table, rows: null, origin: 'unknown' }
  }

  /** Takes down what a statement does to the tables there are. */
  follow({ tree }: Pick<Statement, 'tree'>): void {
    const { kind, content } = unwrap(tree)
    followers[kind]?.(this, content)
  }

  make(name: TableName, rows: number | null): void {
    const schema = name.schema ?? this.#searchPath[0] ?? 'public'
    this.#put({ schema, table: name.table, rows, origin: 'new' })
  }

  exists(name: TableName): boolean {
    return this.find(name).origin !== 'unknown'
  }

  move(from: TableName, to: Partial<TableName>): void {
    const state = this.find(from)
    if (state.origin === 'unknown') return
    this.drop(from)
    this.#put({ ...state, schema: to.schema ?? state.schema, table: to.table ?? state.table })
  }

  drop(name: TableName): void {
    const { schema, table } = this.find(name)
    this.#tables.delete(key(schema, table))
  }

  setRows(name: TableName, rows: (before: number | null) => number | null): void {
    const state = this.find(name)
    if (state.origin !== 'unknown') this.#put({ ...state, rows: rows(state.rows) })
  }

  #put(state: TableState): void {
    this.#tables.set(key(state.schema, state.table), state)
  }
}

function key(schema: string, table: string): string {
  return JSON.stringify([schema, table])
}

type Follow = (book: TableBook, content: Node) => void

const followers: Readonly<Record<string, Follow>> = {
  CreateStmt: (book, content) => create(book, content),
  CreateForeignTableStmt: (book, content) => create(book, nodeAt(content, 'base')),
  CreateTableAsStmt: (book, content) => {
    const into = nodeAt(content, 'into')
    const table = tableAt(into, 'rel')
    if (!table || (content['if_not_exists'] && book.exists(table))) return
    book.make(table, into['skipData'] ? 0 : null)
  },
  SelectStmt: (book, content) => {
    const table = tableAt(nodeAt(content, 'intoClause'), 'rel')
    if (table) book.make(table, null)
  },
  RenameStmt: (book, content) => {
    const table = tableAt(content, 'relation')
    if (table && isTable(content, 'renameType')) book.move(table, { table: textAt(content, 'newname') })
  },
  AlterObjectSchemaStmt: (book, content) => {
    const table = tableAt(content, 'relation')
    if (table && isTable(content, 'objectType')) book.move(table, { schema: textAt(content, 'newschema') })
  },
  DropStmt: (book, content) => {
    if (!isTable(content, 'removeType')) return
    for (const names of listAt(content, 'objects')) book.drop(tableOfNames(namesAt(names, 'items')))
  },
  TruncateStmt: (book, content) => {
    for (const table of tablesAt(content, 'relations')) book.setRows(table, () => 0)
  },
  InsertStmt: (book, content) => {
    const values = nodesAt(unwrap(nodeAt(content, 'selectStmt')).content, 'valuesLists').length
    add(book, tableAt(content, 'relation'), values || null)
  },
  CopyStmt: (book, content) => {
    if (content['is_from']) add(book, tableAt(content, 'relation'), null)
  },
  MergeStmt: (book, content) => add(book, tableAt(content, 'relation'), null),
}

function create(book: TableBook, content: Node): void {
  const relation = nodeAt(content, 'relation')
  if (textAt(relation, 'relpersistence') === 't') return
  const table = tableIn(relation)
  if (content['if_not_exists'] && book.exists(table)) return
  book.make(table, 0)
}

/** Only a table of the plan's own has a figure that is exact enough to add to. */
function add(book: TableBook, table: TableName | undefined, rows: number | null): void {
  if (!table || book.find(table).origin !== 'new') return
  book.setRows(table, (before) => (before === null || rows === null ? null : before + rows))
}

function isTable(content: Node, key: string): boolean {
  return ['OBJECT_TABLE', 'OBJECT_MATVIEW', 'OBJECT_FOREIGN_TABLE'].includes(textAt(content, key))
}
