import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import postgres from 'postgres'
import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { ObsError } from '../errors.js'
import type { PgDumpOutcome, PgDumpRequest, PgDumpWorkerData } from './pg-dump-worker.js'
import { encodeError, encodeResult, encodeWelcome, type TransactionState, type WireColumn } from './wire.js'

/**
 * Runs the pg_dump that comes with obs, compiled to WebAssembly, and returns the SQL it writes.
 *
 * It runs in a worker thread and believes that it talks to a server. Each of its queries is
 * sent over an ordinary connection of obs, so that TLS, authentication and interruption
 * are the driver's business. In a session that is in a read-only, repeatable-read transaction it sees the
 * snapshot of that one, and leaves settings of its own behind. The SQL is held in memory: ask for definitions only
 * (`--section=pre-data` or `post-data`), never for rows.
 *
 * @throws ObsError `pg_dump_failed` with what pg_dump said.
 */
export async function pgDumpBuiltIn(session: Session, args: readonly string[], context: RunContext): Promise<string> {
  const { port1: ours, port2: theirs } = new MessageChannel()
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const data: PgDumpWorkerData = { args, port: theirs, answered }
  const worker = new Worker(workerFile(), { workerData: data, transferList: [theirs], execArgv: loaderArguments() })
  const stop = () => void worker.terminate()
  context.signal.addEventListener('abort', stop, { once: true })
  const connection: Connection = { lost: undefined }
  serve(ours, answered, session, connection)
  try {
    const outcome = await lastWord(worker)
    if (connection.lost !== undefined) throw connection.lost
    return outcomeOf(outcome, context)
  } finally {
    context.signal.removeEventListener('abort', stop)
    ours.close()
    await worker.terminate()
  }
}

/** The worker lies beside this file and has its extension: `.js` once built, `.ts` when run from source. */
function workerFile(): URL {
  return new URL(`./pg-dump-worker${extname(import.meta.url)}`, import.meta.url)
}

/** Run from source (as tests do), the worker needs a loader for TypeScript. */
function loaderArguments(): string[] {
  return extname(fileURLToPath(import.meta.url)) === '.ts' ? ['--import', 'jiti/register'] : []
}

/** What pg_dump would call a failed query, when there was nobody left to ask. */
interface Connection {
  lost: unknown
}

/** Answers the worker's queries one by one until the port is closed. */
function serve(port: MessagePort, answered: Int32Array, session: Session, connection: Connection): void {
  let state: TransactionState = 'I'
  const answer = async (request: PgDumpRequest) => {
    if (request.kind === 'startup') return encodeWelcome(await serverParameters(session))
    const result = await runQuery(session, request.text, state, connection)
    state = result.state
    return result.bytes
  }
  port.on('message', (request: PgDumpRequest) => {
    answer(request)
      .catch((error: unknown) => encodeError(describeError(error), state))
      .then(
        (bytes) => {
          port.postMessage(bytes)
          Atomics.add(answered, 0, 1)
          Atomics.notify(answered, 0)
        },
        () => undefined,
      )
  })
}

/** What libpq wants to know of a server when it connects. */
async function serverParameters(session: Session): Promise<Record<string, string>> {
  const names = [
    'server_version',
    'server_encoding',
    'client_encoding',
    'standard_conforming_strings',
    'is_superuser',
    'session_authorization',
    'DateStyle',
    'IntervalStyle',
    'TimeZone',
    'integer_datetimes',
  ]
  const rows = await session<{ name: string; value: string }[]>`
    select name, current_setting(name) as value from unnest(${names}::text[]) as name`
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

interface RawResult extends ReadonlyArray<readonly (Uint8Array | null)[]> {
  readonly command: string
  readonly count: number | null
  readonly columns?: readonly WireColumn[]
}

async function runQuery(
  session: Session,
  text: string,
  state: TransactionState,
  connection: Connection,
): Promise<{ bytes: Buffer; state: TransactionState }> {
  try {
    const result = (await session.unsafe(text).raw()) as unknown as RawResult
    const next = stateAfter(result.command, state)
    const tag = result.count === null ? result.command : `${result.command} ${result.count}`
    return { bytes: encodeResult({ columns: result.columns, rows: result, tag }, next), state: next }
  } catch (error) {
    if (isLost(error)) connection.lost ??= error
    const next = state === 'I' ? 'I' : 'E'
    return { bytes: encodeError(describeError(error), next), state: next }
  }
}

/** The server said goodbye, or said nothing any more. */
function isLost(error: unknown): boolean {
  return !(error instanceof postgres.PostgresError) || error.code.startsWith('57P')
}

function stateAfter(command: string, state: TransactionState): TransactionState {
  if (command === 'BEGIN') return 'T'
  return command === 'COMMIT' || command === 'ROLLBACK' ? 'I' : state
}

function describeError(error: unknown) {
  if (error instanceof postgres.PostgresError) {
    const { severity, code, message, detail, hint } = error
    return { severity: severity || 'ERROR', code, message, detail, hint }
  }
  return { severity: 'FATAL', code: '08006', message: error instanceof Error ? error.message : String(error) }
}

/** The outcome the worker posts, or a failure when it ends without one. */
function lastWord(worker: Worker): Promise<PgDumpOutcome> {
  return new Promise((resolve) => {
    worker.once('message', resolve)
    worker.once('error', (error) => resolve({ kind: 'failed', message: error.message }))
    worker.once('exit', (code) => resolve({ kind: 'failed', message: `pg_dump ended with code ${code}` }))
  })
}

function outcomeOf(outcome: PgDumpOutcome, context: RunContext): string {
  if (outcome.kind === 'done') return outcome.sql
  throwIfAborted(context.signal)
  throw new ObsError(`the built-in pg_dump failed: ${readable(outcome.message)}`, {
    code: 'pg_dump_failed',
    hint: 'Check that the role may read every table and nobody changes the schema meanwhile; the database was only read.',
    details: { engine: 'built-in' },
  })
}

/** Leaves out what pg_dump says about its own file, which in WebAssembly it cannot find. */
function readable(message: string): string {
  return message
    .replace(/invalid binary "[^"]*": No such file or directory/g, '')
    .replace(/^pg_dump failed with exit code \d+\.\s*Error message:\s*/, '')
    .trim()
}
