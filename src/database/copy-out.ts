import type { Readable } from 'node:stream'
import type { Session } from './connect.js'

/**
 * Runs a `COPY … TO STDOUT` and hands on what the server sends as it comes.
 *
 * `take` is called for every message (one row, or a part of the frame around the rows)
 * and has to be done with the bytes when it returns: nothing is kept, nothing waits.
 */
export async function copyOut(session: Session, statement: string, take: (bytes: Buffer) => void): Promise<void> {
  const query = session.unsafe(statement)
  const source = await query.readable()
  const settled = query as unknown as { reject(error: Error): void }
  await new Promise<void>((resolve, reject) => {
    // The driver reports an error in the middle to the query, which is settled since the stream opened.
    settled.reject = reject
    source.on('data', take).on('end', resolve).on('error', reject)
  })
  wakeSocket(source)
}

/**
 * The driver pauses the socket when its buffer is full and goes on at the next read. A COPY
 * that ends with a full buffer has no next read, and the session would wait for ever.
 */
export function wakeSocket(source: Readable): void {
  try {
    source._read(0)
  } catch {
    // The connection was lost, and its socket is gone: whoever uses the session next hears why.
  }
}
