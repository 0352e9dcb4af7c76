import type { Session } from '../../database/connect.js'
import { runBackfill } from '../backfill/run-backfill.js'
import { buildOnPartitions, partitionedTarget } from '../build-index/build-on-partitions.js'
import type { Statement } from '../statements/statements.js'
import type { InPieces } from './piece.js'

/** How to run a statement that is carried out in pieces; undefined for all others. */
export async function findInPieces(session: Session, statement: Statement): Promise<InPieces | undefined> {
  const { backfill } = statement
  if (backfill) return (one, environment) => runBackfill(one, backfill, environment)
  const table = await partitionedTarget(session, statement)
  return table === undefined ? undefined : (one, environment) => buildOnPartitions(one, table, environment)
}
