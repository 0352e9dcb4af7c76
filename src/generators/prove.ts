import { createHash } from 'node:crypto'
import type { Session } from '../database/connect.js'
import { copyOut } from '../database/copy-out.js'
import { quoteIdentifier } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { copyHeader, copyTrailer } from './copy-binary.js'

/** What came back from the server is not what was sent to it. */
export class RowsDifferError extends ObsError {
  constructor(
    readonly table: string,
    readonly shard: number,
    readonly sent: string,
    readonly landed: string,
  ) {
    super(`part ${shard} of ${table} landed otherwise than it was generated`, {
      code: 'rows_differ',
      hint: 'Look for triggers, rules or columns that change values on their way in, then seed again; nobody has seen a row of this run.',
      details: { table, shard, generated_sha256: sent, landed_sha256: landed },
    })
  }
}

const batchBytes = 256 * 1024

/**
 * The SHA-256 over the rows of a table in the order in which they lie there, as `CopyBuffer` writes them.
 *
 * A table that was filled by one COPY in the transaction that made it holds its rows in the
 * order of that COPY. The session must have `synchronize_seqscans` off, or the scan of
 * a large table begins where another one happens to be.
 */
export async function hashRows(session: Session, table: string, columns: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  const batch = Buffer.allocUnsafeSlow(batchBytes)
  let length = 0
  let skip = copyHeader.length
  const flush = () => {
    hash.update(batch.subarray(0, length))
    length = 0
  }
  const list = columns.map(quoteIdentifier).join(', ')
  await copyOut(session, `copy ${table} (${list}) to stdout with (format binary)`, (bytes) => {
    const rows = skip > 0 ? bytes.subarray(Math.min(skip, bytes.length)) : bytes
    skip -= bytes.length - rows.length
    if (rows.length > batchBytes) {
      flush()
      return void hash.update(rows)
    }
    if (length + rows.length > batchBytes) flush()
    rows.copy(batch, length)
    length += rows.length
  })
  // The server sends the trailer as a message of its own, so it lies whole at the end of the batch.
  hash.update(batch.subarray(0, length - copyTrailer.length))
  return hash.digest('hex')
}
