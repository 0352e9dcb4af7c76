import type { CatalogObject } from '../database/catalog.js'
import type { Change } from './gap.js'

/** An object that differs, before it is judged. */
export interface Finding {
  readonly change: Change
  readonly reference: CatalogObject | undefined
  readonly actual: CatalogObject | undefined
  readonly differs: readonly string[]
  readonly includes: readonly CatalogObject[]
}

/** The object a finding is about, as the examined database has it where it does. */
export function objectOf({ reference, actual }: Finding): CatalogObject {
  const object = actual ?? reference
  if (!object) throw new Error('a finding is about an object')
  return object
}
