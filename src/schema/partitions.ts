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
 * Leaves out partitions that exist on one side alone because of the rows there, or of the
 * day on which that side was made.
 *
 * A partition is one of those unless a migration names it (`declared`) or it is the
 * default partition, provided that the table it belongs to is on both sides. What was put
 * on it by hand (an index of its own, say) stays.
 */
export function leaveOutDataPartitions(
  reference: SchemaSnapshot,
  actual: SchemaSnapshot,
  declared: ReadonlySet<string>,
): WithoutDataPartitions {
  const wanted = new Set(reference.objects.map(keyOf))
  const found = new Set(actual.objects.map(keyOf))
  const byData = (one: CatalogObject) => !declared.has(nameOf(one)) && one.facts['bound'] !== 'DEFAULT'
  const dated = partitionsOf(reference.objects, found, byData)
  const made = partitionsOf(actual.objects, wanted, byData)
  const isDated = belongsTo(reference.objects, dated)
  return {
    reference: reference.objects.filter((object) => !isDated(keyOf(object))),
    actual: actual.objects.filter((object) => !made.has(keyOf(object)) && !comesWith(object, made)),
    count: made.size + dated.size,
  }
}

/** The keys of the partitions that pass `test`, are not on the other side, and belong to a table that is, at any depth. */
function partitionsOf(
  objects: readonly CatalogObject[],
  others: ReadonlySet<string>,
  test: (partition: CatalogObject) => boolean,
): ReadonlySet<string> {
  const partitions = new Map(objects.filter(isPartition).map((table) => [keyOf(table), table]))
  const passes = (key: string): boolean => {
    const partition = partitions.get(key)
    if (!partition || others.has(key) || !test(partition)) return false
    return others.has(partition.owner ?? '') || passes(partition.owner ?? '')
  }
  return new Set([...partitions.keys()].filter(passes))
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
