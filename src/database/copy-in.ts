import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Session, Sql } from './connect.js'

/**
 * Runs a `COPY … FROM STDIN`, streams `source` through `transforms` into it and returns
 * how many rows the server took.
 *
 * The connection is free again once this settles, whichever way it ends. A source that
 * fails ends the COPY, so that the server keeps none of its rows.
 */
export async function copyIn(
  sql: Sql | Session,
  statement: string,
  source: Readable,
  ...transforms: readonly Duplex[]
): Promise<number> {
  const query = sql.unsafe(statement)
  const target = await query.writable()
  const stop = new AbortController()
  const taken = outcome(query as unknown as Settled)
  taken.catch(() => stop.abort())
  const failure = await pipeline([source, ...transforms, target], { signal: stop.signal }).then(
    () => undefined,
    (error: unknown) => (stop.signal.aborted ? undefined : { error }),
  )
  const rows = await taken.catch((error: unknown) => {
    throw failure ? failure.error : error
  })
  if (failure) throw failure.error
  return rows
}

interface Settled {
  resolve(result: { readonly count: number }): void
  reject(error: unknown): void
}

/**
 * What became of the COPY.
 *
 * The driver settles the query when the stream opens and reports the end, or an error
 * that comes after the last byte (a constraint checked at the end), to the settled
 * query, where nobody hears it and the stream waits for ever.
 */
function outcome(query: Settled): Promise<number> {
  return new Promise((resolve, reject) => {
    query.resolve = (result) => resolve(result.count)
    query.reject = reject
  })
}
