import { UsageError } from '../../errors.js'
import { nearest } from '../../suggest.js'
import type { Rule } from './rule.js'
import {
  addColumnNotNull,
  columnTypeRewrite,
  storedGeneratedColumn,
  tableRewrite,
  volatileDefault,
} from './rules/columns.js'
import {
  checkValidates,
  constraintBuildsIndex,
  foreignKeyValidates,
  setNotNullScans,
  validateInSameTransaction,
} from './rules/constraints.js'
import { downIncomplete, downRemovesMore, emptyDown, missingDown } from './rules/downs.js'
import { dropIndexBlocks, foreignKeyWithoutIndex, indexBlocksWrites, reindexBlocksWrites } from './rules/indexes.js'
import { cascade, dropColumn, dropTable, renameColumn, renameTable, truncate } from './rules/removals.js'
import { rowSecurityOff, securityDefiner, triggersOff } from './rules/safety.js'
import {
  preferIdentity,
  preferJsonb,
  preferText,
  preferTimestamptz,
  smallKey,
  withoutPrimaryKey,
} from './rules/style.js'
import {
  changesEveryRow,
  ddlWithBackfill,
  detachPartition,
  enumValueUsed,
  explicitLock,
  lockTimeoutSet,
  refreshBlocksReads,
  rewritesOnPurpose,
  tableCopy,
} from './rules/transactions.js'

/** Found by lint itself rather than by looking at a statement. */
export const cannotRun: Rule = {
  id: 'cannot-run',
  severity: 'error',
  summary: 'a file that obs cannot run',
  why: 'PostgreSQL would refuse it, or it would end the transaction of obs; obs migrate up refuses it before it touches anything.',
  safer: 'Mend the statement that is named.',
}

export const badAllow: Rule = {
  id: 'bad-allow',
  severity: 'error',
  summary: 'an allow comment without a reason, or for a rule that does not exist',
  why: 'It silences nothing, or nobody will know later why it was right to.',
  safer: 'Write -- obs: allow <rule> <reason>.',
}

export const unusedAllow: Rule = {
  id: 'unused-allow',
  severity: 'notice',
  summary: 'an allow comment where nothing was found',
  why: 'It would hide what somebody writes there later.',
  safer: 'Delete it.',
}

/** Every rule, in the order of the documentation. */
export const lintRules: readonly Rule[] = [
  indexBlocksWrites,
  dropIndexBlocks,
  reindexBlocksWrites,
  foreignKeyWithoutIndex,
  foreignKeyValidates,
  checkValidates,
  setNotNullScans,
  constraintBuildsIndex,
  validateInSameTransaction,
  columnTypeRewrite,
  volatileDefault,
  storedGeneratedColumn,
  addColumnNotNull,
  tableRewrite,
  rewritesOnPurpose,
  detachPartition,
  refreshBlocksReads,
  dropColumn,
  dropTable,
  truncate,
  cascade,
  renameColumn,
  renameTable,
  ddlWithBackfill,
  changesEveryRow,
  tableCopy,
  enumValueUsed,
  lockTimeoutSet,
  explicitLock,
  triggersOff,
  rowSecurityOff,
  securityDefiner,
  missingDown,
  emptyDown,
  downIncomplete,
  downRemovesMore,
  withoutPrimaryKey,
  smallKey,
  preferIdentity,
  preferTimestamptz,
  preferJsonb,
  preferText,
  cannotRun,
  badAllow,
  unusedAllow,
]

/**
 * The rule called `id`.
 *
 * @throws UsageError naming the rule that was most likely meant.
 */
export function lintRule(id: string): Rule {
  const rule = lintRules.find((one) => one.id === id)
  if (rule) return rule
  const guess = guessRule(id)
  throw new UsageError(`unknown rule ${JSON.stringify(id)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`, {
    code: 'unknown_rule',
    hint: 'Run obs migrate lint --rules to see all of them.',
    details: { rule: id },
  })
}

export function guessRule(id: string): string | undefined {
  return nearest(
    id,
    lintRules.map((one) => one.id),
  )
}
