import type { CatalogObject } from '../database/catalog.js'
import type { Group } from './gap.js'

/** Its definition on one line, or as the server writes it when it has lines. */
export function definitionOf({ facts }: CatalogObject): string {
  return Object.values(facts).join(' ')
}

/** True for a table that holds a part of the rows of another. */
export function isPartition({ kind, facts }: CatalogObject): boolean {
  return kind === 'table' && facts['bound'] !== undefined
}

/** What people call it: `primary key`, `enum`, `procedure`, `partition`. */
export function describeKind(object: CatalogObject): string {
  if (isPartition(object)) return 'partition'
  const names = subkinds[object.kind]
  return names?.[object.detail ?? ''] ?? object.kind
}

const subkinds: Readonly<Partial<Record<CatalogObject['kind'], Readonly<Record<string, string>>>>> = {
  constraint: {
    p: 'primary key',
    u: 'unique constraint',
    c: 'check constraint',
    x: 'exclusion constraint',
    f: 'foreign key',
    n: 'not null constraint',
  },
  function: { p: 'procedure', a: 'aggregate', w: 'window function' },
  type: { e: 'enum', d: 'domain', c: 'composite type', r: 'range type' },
  table: { f: 'foreign table', p: 'partitioned table' },
  column: { c: 'attribute', v: 'view column', m: 'view column' },
  index: { unique: 'unique index' },
}

/** Where in the order of deployment it belongs. */
export function groupOf(object: CatalogObject): Group {
  if (isPartition(object)) return 'partitions'
  if (object.kind === 'constraint') return constraintGroup(object)
  if (object.kind !== 'column') return groupOfKind[object.kind]
  if (object.detail === 'c') return 'types'
  return object.detail === 'v' || object.detail === 'm' ? 'views' : 'tables'
}

function constraintGroup({ detail, owner }: CatalogObject): Group {
  if (detail === 'f') return 'foreign keys'
  return owner?.startsWith('type ') ? 'types' : 'constraints'
}

const groupOfKind: Readonly<Record<Exclude<CatalogObject['kind'], 'column' | 'constraint'>, Group>> = {
  extension: 'extensions',
  schema: 'schemas',
  type: 'types',
  table: 'tables',
  sequence: 'tables',
  hypertable: 'tables',
  function: 'functions',
  view: 'views',
  'materialized view': 'views',
  'continuous aggregate': 'views',
  rule: 'triggers',
  trigger: 'triggers',
  index: 'indexes',
  statistics: 'indexes',
  policy: 'policies',
  comment: 'comments',
}
