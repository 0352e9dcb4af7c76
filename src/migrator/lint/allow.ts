import type { Statement } from '../statements/statements.js'
import { guessRule, lintRules } from './rules.js'

/** A comment that silences a rule. */
export interface Allow {
  readonly rule: string
  readonly reason: string
  /** Where the comment is, as a JavaScript string index. */
  readonly index: number
  readonly length: number
  /** The statement it is for; undefined when it is for the whole file. */
  readonly statement: Statement | undefined
}

const line = /^[ \t]*--[ \t]*obs:[ \t]*allow\b[ \t]*(\S*)[ \t]*(.*?)[ \t]*$/gm

/**
 * The `-- obs: allow <rule> <reason>` comments of a file.
 *
 * One above the first statement is for the whole file; one further down is for the
 * statement that it stands in or above.
 */
export function findAllows(text: string, statements: readonly Statement[]): readonly Allow[] {
  const first = statements[0]?.index ?? Number.POSITIVE_INFINITY
  return [...text.matchAll(line)].map((match) => {
    const index = match.index + match[0].indexOf('--')
    const end = match.index + match[0].length
    const statement = statements.find((one) => one.index + one.sql.length > end)
    return {
      rule: match[1] ?? '',
      reason: match[2] ?? '',
      index,
      length: end - index,
      statement: index < first ? undefined : (statement ?? nobody),
    }
  })
}

/** Below the last statement: for no statement at all. */
const nobody: Statement = { sql: '', index: -1, tree: undefined }

/** What is wrong with a comment; nothing when it may be used. */
export function complaintAbout({ rule, reason }: Allow): string | undefined {
  if (rule === '') return 'allow names no rule'
  if (!lintRules.some((one) => one.id === rule)) {
    const guess = guessRule(rule)
    return `there is no rule ${JSON.stringify(rule)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`
  }
  if (unsilenceable.has(rule)) return `${rule} cannot be allowed`
  return reason === '' ? `allow ${rule} gives no reason` : undefined
}

const unsilenceable = new Set(['cannot-run', 'bad-allow', 'unused-allow'])
