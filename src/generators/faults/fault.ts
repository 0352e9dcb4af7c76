import { UsageError } from '../../errors.js'
import { nearest } from '../../suggest.js'
import type { Random } from '../random.js'
import type { RowEdit } from './row-edit.js'

/**
 * A fault that is planted into generated rows, so that it is known what a check ought to find.
 *
 * A value like any other description in obs: the list, the manifest and the documentation are derived from it.
 */
export interface Fault<Context> {
  readonly name: string
  /** What is wrong with the rows, in one line. */
  readonly summary: string
  /** The fact table whose rows are changed. */
  readonly table: string
  /** The column that names a row, in the manifest as in the report of a check. */
  readonly key: string
  /** The share of the rows that can have it, unless the option says otherwise. */
  readonly rate: number
  /**
   * Whether each row is wrong by itself, or every row is right and only their mix is not
   * what the profile says.
   */
  readonly seenIn: 'rows' | 'mix'
  /** The checks that have to notice it. */
  readonly checks: readonly string[]
  /** Checks that may complain as well, since they look at the same rows from another side. */
  readonly alsoSeenBy?: readonly string[]
  /**
   * What is chosen: each row by itself when absent, else everything that has the same
   * number, for example all rows of an agent's day; `name` is what the manifest calls it.
   */
  readonly unit?: { number(row: RowEdit): number; name(row: RowEdit): string }
  /** Changes a row, or returns false and leaves it when it cannot have this fault. */
  plant(row: RowEdit, dice: Random, context: Context): boolean
  /** The same for the rows of other tables that belong to a changed one; they are chosen by the same key. */
  readonly follow?: Readonly<Record<string, Fault<Context>['plant']>>
}

/** A fault as somebody asked for it; part of the settings of a run. */
export interface FaultSetting {
  readonly name: string
  readonly rate: number
}

/** The faults of a pack. */
export interface FaultCatalogue {
  readonly faults: readonly FaultDescription[]
  /** Names for several faults at once. */
  readonly groups: Readonly<Record<string, readonly string[]>>
  /** What cannot be planted by rows, and what forbids it. */
  readonly impossible: readonly { readonly what: string; readonly because: string }[]
}

export type FaultDescription = Omit<Fault<unknown>, 'plant' | 'follow' | 'unit'>

/**
 * Reads a list such as `duplicates,orphans=0.01`: names of faults or groups, each with a rate if need be.
 *
 * @throws UsageError naming what is no fault, or no rate.
 */
export function chooseFaults({ faults, groups }: FaultCatalogue, list: string): readonly FaultSetting[] {
  const chosen = new Map<string, number | undefined>()
  for (const item of list.split(',').map((one) => one.trim())) {
    const [name = '', rate] = item.split('=')
    const members = name === 'all' ? faults.map((fault) => fault.name) : (groups[name] ?? [name])
    for (const member of members) chosen.set(member, rate === undefined ? chosen.get(member) : parseRate(item, rate))
    const known = [...faults.map((fault) => fault.name), ...Object.keys(groups), 'all']
    if (!known.includes(name)) throw unknownFault(name, known)
  }
  return faults
    .filter(({ name }) => chosen.has(name))
    .map(({ name, rate }) => ({ name, rate: chosen.get(name) ?? rate }))
}

function parseRate(item: string, text: string): number {
  const rate = Number(text)
  if (text.trim() !== '' && rate > 0 && rate <= 1) return rate
  throw new UsageError(`--faults ${item}: a rate is a number above 0 and up to 1`, {
    code: 'invalid_fault_rate',
    hint: 'Give the share of the rows, for example duplicates=0.01.',
    details: { item },
  })
}

function unknownFault(name: string, known: readonly string[]): UsageError {
  const guess = nearest(name, known)
  return new UsageError(
    `unknown fault ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_fault',
      hint: 'List them with obs seed faults.',
      details: { fault: name, faults: known },
    },
  )
}
