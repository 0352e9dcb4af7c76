import type { Session } from '../database/connect.js'
import { runBackfill } from './backfill/run-backfill.js'
import type { InPieces } from './piece.js'
import type { Statement } from './statements.js'
import type { Run } from './step-run.js'

/** How to run a statement that is carried out in pieces; undefined for all others. */
export async function findInPieces(
  _session: Session,
  _run: Run,
  { backfill }: Statement,
): Promise<InPieces | undefined> {
  if (backfill) return (statement, environment) => runBackfill(statement, backfill, environment)
  return undefined
}
