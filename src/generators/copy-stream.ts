import type { Writable } from 'node:stream'
import type { Session } from '../database/connect.js'

/** A COPY … FROM STDIN in progress. */
export interface CopyStream {
  /** Sends bytes and resolves when they left this process; `chunk` may be used again then. */
  write(chunk: Buffer): Promise<void>
  /** Says that nothing more comes and resolves when the server has taken every row. */
  end(): Promise<void>
  /** Gives up: the server discards what it was sent and the transaction has failed, so roll it back next. */
  abort(): void
}

/**
 * Starts a COPY on the session's connection; no other statement may run on it until it ends.
 *
 * The driver reports an error that comes after the last byte (a constraint checked at
 * the end, a value in the last buffer) to the query alone, which was settled when the
 * stream opened, so that the stream would wait for ever. The query's `reject` is
 * therefore watched as well as the stream.
 */
export async function openCopy(session: Session, statement: string): Promise<CopyStream> {
  const query = session.unsafe(statement)
  const stream = await query.writable()
  const failure = watch(stream, query as unknown as Rejectable)
  return {
    write: (chunk) => failure.or((done) => void stream.write(chunk, done)),
    end: () => failure.or((done) => void stream.end(done)),
    abort: () => void stream.destroy(new Error('stopped')),
  }
}

interface Rejectable {
  reject(error: unknown): void
}

interface Failure {
  or(start: (done: (error?: Error | null) => void) => void): Promise<void>
}

function watch(stream: Writable, query: Rejectable): Failure {
  let reason: unknown
  let notify: ((error: unknown) => void) | undefined
  const fail = (error: unknown) => {
    reason ??= stream.errored ?? error
    notify?.(reason)
  }
  query.reject = fail
  stream.on('error', fail)
  return {
    or: (start) =>
      new Promise((resolve, reject) => {
        if (reason !== undefined) return reject(reason)
        notify = reject
        start((error) => (error ? fail(error) : resolve()))
      }),
  }
}
