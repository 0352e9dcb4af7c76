import { type CatalogObject, keyOf } from '../database/catalog.js'

/** Makes a test whether the object with a key is one of `roots`, or hangs on one at any depth. */
export function belongsTo(
  objects: readonly CatalogObject[],
  roots: ReadonlySet<string>,
): (key: string | null) => boolean {
  const owners = new Map(objects.map((object) => [keyOf(object), object.owner]))
  const test = (key: string | null): boolean => key !== null && (roots.has(key) || test(owners.get(key) ?? null))
  return roots.size === 0 ? () => false : test
}
