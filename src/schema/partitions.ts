import { type CatalogObject, keyOf } from '../database/catalog.js'
import { isPartition } from './describe.js'
import { belongsTo } from './ownership.js'
import type { SchemaSnapshot } from './snapshot.js'

/** Two snapshots without the partitions that the data made. */
export interface WithoutDataPartitions {
  readonly reference: readonly CatalogObject[]
  readonly actual: readonly CatalogObject[]
  readonly count: number
}

/**
 * Leaves out partitions that exist on one side alone because of the rows there.
 *
 * A partition that is only in the examined database is expected when the table it belongs
 * to is one of the reference; what was put on it by hand (an index of its own, say) stays.
 * One that is only in the reference is missing when a migration names it (`declared`) or
 * when it is the default partition, and was made for the day the migrations ran otherwise.
 */
export function leaveOutDataPartitions(
  reference: SchemaSnapshot,
  actual: SchemaSnapshot,
  declared: ReadonlySet<string>,
): WithoutDataPartitions {
  const wanted = new Set(reference.objects.map(keyOf))
  const found = new Set(actual.objects.map(keyOf))
  const made = partitionsOf(actual.objects, (one, expected) => !wanted.has(keyOf(one)) && expected, wanted)
  const dated = partitionsOf(
    reference.objects,
    (one) => !found.has(keyOf(one)) && !declared.has(nameOf(one)) && one.facts['bound'] !== 'DEFAULT',
    wanted,
  )
  const isDated = belongsTo(reference.objects, dated)
  return {
    reference: reference.objects.filter((object) => !isDated(keyOf(object))),
    actual: actual.objects.filter((object) => !made.has(keyOf(object)) && !comesWith(object, made)),
    count: made.size + dated.size,
  }
}

/** The keys of the partitions that pass; `expected` tells whether the table above one is in the reference or passed. */
function partitionsOf(
  objects: readonly CatalogObject[],
  passes: (partition: CatalogObject, expected: boolean) => boolean,
  wanted: ReadonlySet<string>,
): ReadonlySet<string> {
  const tables = new Map(objects.filter(({ kind }) => kind === 'table').map((table) => [keyOf(table), table]))
  const judge = (key: string): boolean => {
    const table = tables.get(key)
    if (!table || !isPartition(table)) return false
    const above = table.owner ?? ''
    return passes(table, wanted.has(above) || judge(above))
  }
  return new Set([...tables.keys()].filter(judge))
}

/** Columns are those of the table above, and inherited triggers are its triggers. */
function comesWith({ kind, owner, inherited }: CatalogObject, made: ReadonlySet<string>): boolean {
  return owner !== null && made.has(owner) && (kind === 'column' || inherited)
}

/** The name without its schema and without quotes. */
function nameOf({ identity }: CatalogObject): string {
  const [, quoted, simple] = /(?:"((?:[^"]|"")+)"|([^".]+))$/.exec(identity) ?? []
  return quoted?.replaceAll('""', '"') ?? simple ?? identity
}
