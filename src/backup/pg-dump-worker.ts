import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { PGlite } from '@electric-sql/pglite'
import { pgDump } from '@electric-sql/pglite-tools/pg_dump'
import { FrontendReader } from './wire.js'

/** What the main thread hands to this worker. */
export interface PgDumpWorkerData {
  readonly args: readonly string[]
  /** Carries requests one way and answers the other. */
  readonly port: MessagePort
  /** Counts answers; this thread sleeps on it. */
  readonly answered: Int32Array
}

/** What this worker asks the main thread to send to the server. */
export type PgDumpRequest = { readonly kind: 'startup' } | { readonly kind: 'query'; readonly text: string }

/** What this worker posts at its end. */
export type PgDumpOutcome =
  | { readonly kind: 'done'; readonly sql: string }
  | { readonly kind: 'failed'; readonly message: string }

const { args, port, answered } = workerData as PgDumpWorkerData
const reader = new FrontendReader()

/**
 * Asks the main thread and sleeps until it has answered.
 *
 * pg_dump is a C program that waits for its server. In WebAssembly waiting means
 * blocking the thread, which is why it has one of its own.
 */
function ask(request: PgDumpRequest): Uint8Array {
  const before = Atomics.load(answered, 0)
  port.postMessage(request)
  Atomics.wait(answered, 0, before)
  // On a busy machine the answer may come a moment after the word that there is one.
  for (let look = 0; look < 1000; look++) {
    const received: { message: Uint8Array } | undefined = receiveMessageOnPort(port)
    if (received) return received.message
    Atomics.wait(answered, 0, before + 1, 5)
  }
  throw new Error('the main thread woke pg_dump without an answer')
}

/** The part of PGlite that pgDump uses: here a server elsewhere answers. */
const server = {
  execProtocolRawStream(bytes: Uint8Array, { onRawData }: { onRawData: (bytes: Uint8Array) => void }): void {
    for (const message of reader.read(bytes)) {
      if (message.kind === 'other') throw new Error(`pg_dump sent a message of type ${message.type}`)
      if (message.kind !== 'terminate') onRawData(ask(message))
    }
  },
  // pgDump restores the search path of an embedded PGlite; the session here ends with the dump.
  query: async () => ({ rows: [{ search_path: '' }] }),
  exec: async () => [],
}

async function dump(): Promise<PgDumpOutcome> {
  try {
    const file = await pgDump({ pg: server as unknown as PGlite, args: [...args] })
    return { kind: 'done', sql: await file.text() }
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.postMessage(await dump())
