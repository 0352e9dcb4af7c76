import type { Directives } from '../files/directives.js'
import { describeLoss, type Loss } from './losses.js'
import { type CatalogDifference, isSame } from './whole-catalog.js'

/**
 * What a migration is:
 *
 * - `lossless`: down brings the catalog back as it was before up, with every value that
 *   was there, and up again ends where it ended the first time;
 * - `schema-only`: the catalog comes back, some values do not;
 * - `irreversible`: there is no down, it fails, or it leaves another catalog.
 */
export type Label = 'lossless' | 'schema-only' | 'irreversible'

/** What a round trip saw; what is undefined was not reached, or went well. */
export interface Evidence {
  readonly hasDown: boolean
  /** Why `obs migrate up` would refuse it with data like this. */
  readonly upRefused?: string
  readonly downFailure?: string
  readonly upAgainFailure?: string
  /** Down once rows of the new form were written, and up after it. */
  readonly downWithRowsFailure?: string
  readonly upAfterRowsFailure?: string
  /** After down, against before up. */
  readonly afterDown?: CatalogDifference
  readonly afterDownWithRows?: CatalogDifference
  /** After the second up, against the first. */
  readonly afterUpAgain?: CatalogDifference
  /** What was there before up and is not there after down, or not after up again. */
  readonly losses: readonly Loss[]
}

export interface Verdict {
  readonly label: Label
  /** Nothing is wrong with it, or it says so itself. */
  readonly ok: boolean
  /** The directive that says so. */
  readonly declared: { readonly directive: 'irreversible' | 'lossy'; readonly reason: string } | undefined
  /** Why it has this label, most important first. */
  readonly reasons: readonly string[]
  /** Lines of the catalog that are missing or left over. */
  readonly differences: readonly string[]
}

/**
 * Weighs what a round trip saw against what the files say of themselves; pure.
 *
 * @param home the schema of the pack, which names of tables leave out
 */
export function judge(evidence: Evidence, directives: readonly Directives[], home = 'public'): Verdict {
  const irreversible = irreversibleReasons(evidence)
  const losses = evidence.losses.map((loss) => describeLoss(loss, home))
  const label: Label = irreversible.length > 0 ? 'irreversible' : losses.length > 0 ? 'schema-only' : 'lossless'
  const declared = declaration(label, directives)
  const refused = evidence.upRefused === undefined ? [] : [`obs migrate up refuses it: ${evidence.upRefused}`]
  return {
    label,
    ok: refused.length === 0 && (label === 'lossless' || declared !== undefined),
    declared,
    reasons: [...refused, ...irreversible, ...losses],
    differences: [...new Set(allDifferences(evidence))],
  }
}

function irreversibleReasons(evidence: Evidence): readonly string[] {
  const { afterDown, afterDownWithRows, afterUpAgain } = evidence
  const reasons = [
    !evidence.hasDown && 'it has no down',
    evidence.downFailure !== undefined && `down fails: ${evidence.downFailure}`,
    afterDown && !isSame(afterDown) && 'down leaves another schema than there was before up',
    evidence.upAgainFailure !== undefined && `up fails after down: ${evidence.upAgainFailure}`,
    afterUpAgain && !isSame(afterUpAgain) && 'up makes another schema the second time',
    evidence.downWithRowsFailure !== undefined &&
      `down fails once rows have been written: ${evidence.downWithRowsFailure}`,
    afterDownWithRows &&
      !isSame(afterDownWithRows) &&
      (!afterDown || isSame(afterDown)) &&
      'down leaves another schema than there was before up once rows have been written',
    evidence.upAfterRowsFailure !== undefined &&
      `up fails after rows have been written and down was run: ${evidence.upAfterRowsFailure}`,
  ]
  return reasons.filter((reason) => reason !== false && reason !== undefined)
}

function allDifferences({ afterDown, afterDownWithRows, afterUpAgain }: Evidence): readonly string[] {
  return [
    ...(afterDown?.gone ?? []).map((line) => `not brought back by down: ${line}`),
    ...(afterDown?.added ?? []).map((line) => `left behind by down: ${line}`),
    ...(afterUpAgain?.gone ?? []).map((line) => `not made by the second up: ${line}`),
    ...(afterUpAgain?.added ?? []).map((line) => `made by the second up only: ${line}`),
    ...(afterDownWithRows?.gone ?? []).map((line) => `not brought back by down: ${line}`),
    ...(afterDownWithRows?.added ?? []).map((line) => `left behind by down: ${line}`),
  ]
}

/** `irreversible` covers whatever is wrong, `lossy` lost values only. */
function declaration(label: Label, directives: readonly Directives[]): Verdict['declared'] {
  if (label === 'lossless') return undefined
  const lossy = directives.find((one) => one.lossy !== undefined)?.lossy
  const irreversible = directives.find((one) => one.irreversible !== undefined)?.irreversible
  if (label === 'schema-only' && lossy !== undefined) return { directive: 'lossy', reason: lossy }
  return irreversible === undefined ? undefined : { directive: 'irreversible', reason: irreversible }
}
