import type { Statement } from './statements.js'
import type { Complaint, Node } from './take-apart.js'

/** A statement of a file, or all that stands between a `begin` and its `commit`. */
export type Part = Statement | TransactionBlock

export interface TransactionBlock {
  readonly begin: Statement
  readonly statements: readonly Statement[]
  readonly commit: Statement
}

/** What a file says about transactions, without the statements that say it. */
export interface Parts {
  readonly parts: readonly Part[]
  readonly complaints: readonly Complaint[]
}

/**
 * Finds the transactions that a file opens and ends by itself.
 *
 * obs has one of its own open when the file runs in a transaction. A `commit` in it
 * would end that one, with the history row left outside, and a `begin` is met with a
 * warning only; so whatever does not come in plain pairs is refused.
 * https://www.postgresql.org/docs/current/sql-begin.html
 */
export function findBlocks(statements: readonly Statement[]): Parts {
  const parts: Part[] = []
  const complaints: Complaint[] = []
  let open: { begin: Statement; statements: Statement[] } | undefined
  for (const statement of statements) {
    const { kind, options, chain } = transactionOf(statement)
    const complain = (message: string) => complaints.push({ index: statement.index, message })
    if (kind === undefined || savepoints.has(kind)) {
      ;(open?.statements ?? parts).push(statement)
    } else if (opening.has(kind)) {
      if (open) complain('this begin stands between another begin and its commit, where PostgreSQL ignores it')
      if (options) complain('obs opens the transaction itself, so it cannot be given a mode here; write begin alone')
      open ??= { begin: statement, statements: [] }
    } else if (kind === 'TRANS_STMT_COMMIT') {
      if (chain) complain('commit and chain would leave a transaction open; write commit alone')
      if (open) parts.push({ ...open, commit: statement })
      else complain('this commit has no begin; obs opens and ends the transaction itself')
      open = undefined
    } else {
      complain(refusals[kind] ?? 'obs opens and ends the transaction itself; take this out')
    }
  }
  if (open) complaints.push({ index: open.begin.index, message: 'this begin has no commit' })
  return { parts, complaints }
}

/** The statements of all parts in their order. */
export function statementsOf(parts: readonly Part[]): readonly Statement[] {
  return parts.flatMap((part) => (isBlock(part) ? part.statements : [part]))
}

export function isBlock(part: Part): part is TransactionBlock {
  return 'begin' in part
}

/** True for `savepoint`, `release` and `rollback to`. */
export function isSavepoint(statement: Statement): boolean {
  return savepoints.has(transactionOf(statement).kind ?? '')
}

interface TransactionWords {
  readonly kind?: string
  readonly options?: unknown
  readonly chain?: boolean
}

function transactionOf({ tree }: Statement): TransactionWords {
  return ((tree?.['TransactionStmt'] as Node | undefined) ?? {}) as TransactionWords
}

const opening = new Set(['TRANS_STMT_BEGIN', 'TRANS_STMT_START'])
const savepoints = new Set(['TRANS_STMT_SAVEPOINT', 'TRANS_STMT_RELEASE', 'TRANS_STMT_ROLLBACK_TO'])

const prepared = 'a prepared transaction outlives the migration, so that obs cannot undo it; take this out'

const refusals: Readonly<Record<string, string>> = {
  TRANS_STMT_ROLLBACK:
    'obs opens and ends the transaction itself, and undoes a migration that fails; take rollback out',
  TRANS_STMT_PREPARE: prepared,
  TRANS_STMT_COMMIT_PREPARED: prepared,
  TRANS_STMT_ROLLBACK_PREPARED: prepared,
}
