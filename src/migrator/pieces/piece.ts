import type { RunContext } from '../../context.js'
import type { Session } from '../../database/connect.js'
import type { PreparedStep, Run } from '../apply/step-run.js'
import type { TableReceipt } from '../preservation/receipt.js'
import type { Statement } from '../statements/statements.js'

/** What the running of a statement in pieces is given. */
export interface PieceEnvironment {
  readonly session: Session
  readonly run: Run
  readonly step: PreparedStep
  /** Of the statement, from 1; a function is statement 1. */
  readonly number: number
  readonly context: RunContext
  /** For the rest of the transaction obs acts as the role that writes the history. */
  readonly becomeOneself: () => Promise<void>
  /**
   * Runs something that leaves nothing behind when it fails, again and again for as long
   * as others hold the locks it needs.
   *
   * @throws StepError
   */
  readonly patiently: <T>(attempt: () => PromiseLike<T>) => Promise<T>
  /**
   * The same for what holds nobody up while it waits: it waits for as long as it takes,
   * and says for whom.
   *
   * @throws StepError
   */
  readonly aside: <T>(attempt: () => PromiseLike<T>) => Promise<T>
}

/**
 * A statement that obs carries out in pieces, each committed by itself, and that finds
 * out by itself where to go on, wherever it broke off.
 *
 * @returns what is proven about the tables that it went through.
 */
export type InPieces = (statement: Statement, environment: PieceEnvironment) => Promise<readonly TableReceipt[]>
