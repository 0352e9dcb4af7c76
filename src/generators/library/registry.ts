import type { Generator } from './generator.js'
import { boolean, choice, constant, nothing, sample } from './kinds/choices.js'
import { position, sequence, uuid } from './kinds/keys.js'
import { decimal, exponential, gamma, integer, logNormal, normal, pareto, zipf } from './kinds/numbers.js'
import { copy, derive, parent, references } from './kinds/relations.js'
import { array, json } from './kinds/structures.js'
import { faker, pattern, template, words } from './kinds/texts.js'
import { after, timestamps } from './kinds/times.js'

const all = [
  sequence,
  uuid,
  position,
  references,
  parent,
  constant,
  choice,
  boolean,
  integer,
  decimal,
  normal,
  logNormal,
  exponential,
  pareto,
  gamma,
  zipf,
  timestamps,
  after,
  words,
  template,
  pattern,
  faker,
  json,
  array,
  copy,
  derive,
  sample,
  nothing,
] as const

/** Every generator there is, in the order in which they are documented. */
export const generators: readonly Generator[] = all as unknown as readonly Generator[]

type Kind = (typeof all)[number]

/** The name of a generator with its options, as a configuration writes them, and the share of nulls. */
export type ColumnSpec = {
  [K in Kind as K['name']]: { readonly generator: K['name']; readonly nulls?: number } & Input<K['options']>
}[Kind['name']]

type Input<Schema> = Schema extends { readonly _zod: { readonly input: infer I } } ? I : never
