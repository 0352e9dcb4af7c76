import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import { throwIfAborted } from '../database/connect.js'
import { codeOf, ObsError, UsageError } from '../errors.js'
import type { NativeTool } from './choose-engine.js'

/** Milliseconds a tool has to end after it was asked to, before it is killed. */
const patience = 3000

/**
 * Finds `pg_dump` or `pg_restore` and asks it for its version.
 *
 * @param named a file to use instead of looking on the PATH.
 * @returns undefined when the PATH holds none.
 * @throws UsageError when the named file is not that tool.
 */
export async function findTool(name: 'pg_dump' | 'pg_restore', named?: string): Promise<NativeTool | undefined> {
  const path = named ?? name
  const { code, stdout } = await versionOf(path)
  const version = new RegExp(`^${name} \\(PostgreSQL\\) ((\\d+)\\S*)`).exec(stdout)
  if (code === 0 && version) return { name, path, version: version[1] ?? '', major: Number(version[2]) }
  if (named === undefined) return undefined
  throw new UsageError(`${named} is not a ${name} that runs here`, {
    code: 'invalid_pg_dump',
    hint: `Name the ${name} program itself, for example /usr/lib/postgresql/18/bin/${name}; nothing was written.`,
    details: { path: named },
  })
}

async function versionOf(path: string): Promise<{ readonly code: number; readonly stdout: string }> {
  const signal = new AbortController().signal
  try {
    const { ending, taken } = await run(path, ['--version'], {}, signal, undefined, text)
    return { code: ending.code, stdout: 'value' in taken ? taken.value : '' }
  } catch {
    return { code: -1, stdout: '' }
  }
}

/** The pg_restore that lies beside a pg_dump, when the latter is named by a path; else the one on the PATH. */
export function siblingTool(pgDump: string, name: 'pg_restore'): string | undefined {
  return pgDump.includes('/') || pgDump.includes('\\') ? join(dirname(pgDump), name) : undefined
}

/**
 * The pg_restore for an archive that `pgDumpVersion` wrote.
 *
 * @throws UsageError when there is none that is new enough.
 */
export async function requireRestoreTool(pgDumpVersion: string, named?: string): Promise<NativeTool> {
  const tool = await findTool('pg_restore', named)
  if (tool && tool.major >= Number.parseInt(pgDumpVersion, 10)) return tool
  const found = tool ? `the pg_restore that is here is ${tool.version}` : 'there is no pg_restore on the PATH'
  throw new UsageError(`the archive was written by pg_dump ${pgDumpVersion}, and ${found}`, {
    code: 'engine_unavailable',
    hint: `Install pg_restore ${Number.parseInt(pgDumpVersion, 10)} or newer, or name one with --pg-restore; nothing was changed.`,
    details: { pg_dump: pgDumpVersion, pg_restore: tool?.version ?? null },
  })
}

/** How a client program is run. */
export interface ToolRun {
  readonly args: readonly string[]
  /** The server it works on; undefined when it only reads an archive. */
  readonly address?: ServerAddress
  /** What its sessions on the server are called. */
  readonly session?: string
  /** What it reads from its standard input. */
  readonly input?: Readable
  /** It was asked to tell what it does: what it says without calling it a warning is none. */
  readonly verbose?: boolean
}

/**
 * Runs a client program of PostgreSQL and returns what it wrote to stdout.
 *
 * It is started without a shell, and the connection travels in its environment: process
 * arguments can be read by every user of the machine. When the run is interrupted it is
 * asked to stop, and killed if it does not. What it warns of is passed on.
 *
 * @throws ObsError `<tool>_failed` with what the tool wrote to stderr.
 */
export async function runTool(tool: NativeTool, run: ToolRun, context: RunContext): Promise<string> {
  const parts: string[] = []
  await streamTool(tool, run, context, async (output) => {
    output.setEncoding('utf8')
    for await (const text of output) parts.push(text)
  })
  return parts.join('')
}

/** The same for output of any length: `take` reads it, and the program waits for it. */
export async function streamTool<T>(
  tool: NativeTool,
  { args, address, session = 'obs backup', input, verbose = false }: ToolRun,
  context: RunContext,
  take: (output: Readable) => Promise<T>,
): Promise<T> {
  return withTlsFiles(address, async (tlsVariables) => {
    const own = { ...tlsVariables, PGAPPNAME: session }
    const variables = address ? { ...connectionVariables(address), ...own } : {}
    const { ending, taken } = await run(tool.path, args, variables, context.signal, input, take)
    throwIfAborted(context.signal)
    // What the program says of its end explains why nothing could be taken of it, not the other way about.
    if (ending.code !== 0 && !taken.byTaker) throw toolFailed(tool, ending, address)
    if ('error' in taken) throw taken.error
    for (const warning of warningsIn(ending.stderr, verbose)) context.progress.warn(`${tool.name}: ${warning}`)
    return taken.value
  })
}

/**
 * What a program warned of, a warning and its details in one line, without what is harmless.
 *
 * Foreign keys that go round in a circle matter to a dump of rows alone; in a whole one they are made
 * after the rows, so that no order of the tables is wrong. TimescaleDB's own catalog has such keys.
 */
export function warningsIn(stderr: string, verbose = false): string[] {
  const messages: string[] = []
  for (const line of stderr.split('\n').filter(Boolean)) {
    const [, level = '', text = line] = /^pg_\w+: (warning|detail|hint|error): (.*)$/.exec(line) ?? []
    if (verbose && level === '') continue
    const belongs = level === 'detail' || level === 'hint'
    messages.push(belongs && messages.length > 0 ? `${messages.pop()} (${text})` : text)
  }
  return messages.filter((message) => !/^there are circular foreign-key constraints/.test(message))
}

function toolFailed(tool: NativeTool, { code, signal, stderr }: Ending, address: ServerAddress | undefined): ObsError {
  const diskIsFull = /No space left on device|Disk quota exceeded/i.test(stderr)
  // pg_restore with an address fills the server's disk, everything else fills that of the backups.
  const fullDiskHint =
    tool.name === 'pg_restore' && address
      ? "Free some space on the server's disk and restore again; the backup was only read."
      : 'Free some space or name a folder on another disk with OBS_BACKUPS; the database was only read.'
  const end = signal ? `was ended by ${signal}` : `ended with exit code ${code}`
  return new ObsError(`${tool.path} ${end}: ${stderr.trim() || 'it said nothing'}`, {
    code: diskIsFull ? 'disk_full' : `${tool.name}_failed`,
    hint: diskIsFull ? fullDiskHint : hintFor(stderr, signal),
    details: { tool: tool.path, version: tool.version, exit_code: code, signal },
  })
}

function hintFor(stderr: string, signal: Ending['signal']): string {
  if (signal === 'SIGKILL') return 'Somebody killed it, or the system did for want of memory; nothing was left behind.'
  if (/shared memory|max_locks_per_transaction/.test(stderr)) {
    return 'Raise max_locks_per_transaction on that server and restart it; nothing was left behind.'
  }
  if (/lock timeout|could not obtain lock/.test(stderr)) {
    return 'Somebody changes a table or waits to: try again when that is over; nothing was left behind.'
  }
  return 'Read what it said above; nothing was left behind.'
}

function connectionVariables(address: ServerAddress): Record<string, string> {
  return {
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGDATABASE: address.database,
    PGSSLMODE: address.host.startsWith('/') ? 'disable' : address.sslMode,
    PGCONNECT_TIMEOUT: '10',
    ...(address.password ? { PGPASSWORD: address.password.reveal() } : {}),
  }
}

const tlsFiles = [
  ['ca', 'PGSSLROOTCERT'],
  ['cert', 'PGSSLCERT'],
  ['key', 'PGSSLKEY'],
] as const

/** libpq reads certificates from files; these exist while `work` runs, for this user only. */
async function withTlsFiles<T>(
  address: ServerAddress | undefined,
  work: (variables: Record<string, string>) => Promise<T>,
): Promise<T> {
  const present = tlsFiles.filter(([part]) => typeof address?.tls?.[part] === 'string')
  if (present.length === 0) return work({})
  const folder = await mkdtemp(join(tmpdir(), 'obs-tls-'))
  try {
    const variables: Record<string, string> = {}
    for (const [part, variable] of present) {
      const path = join(folder, part)
      await writeFile(path, String(address?.tls?.[part]), { mode: 0o600 })
      variables[variable] = path
    }
    return await work(variables)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Ending {
  readonly code: number
  /** What killed it; null when it ended by itself. */
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/** What came of reading the output; `byTaker` when the program was ended because nobody could. */
type Taken<T> = { readonly value: T; readonly byTaker: false } | { readonly error: unknown; readonly byTaker: boolean }

/** Rejects only when the program cannot be started. */
async function run<T>(
  path: string,
  args: readonly string[],
  variables: Record<string, string>,
  signal: AbortSignal,
  input: Readable | undefined,
  take: (output: Readable) => Promise<T>,
): Promise<{ readonly ending: Ending; readonly taken: Taken<T> }> {
  const child = spawn(path, args, { env: environment(variables), stdio: ['pipe', 'pipe', 'pipe'] })
  const stop = stopper(
    () => child.kill('SIGTERM'),
    () => child.kill('SIGKILL'),
  )
  const ended = endOf(child)
  signal.addEventListener('abort', stop.start, { once: true })
  if (signal.aborted) stop.start()
  try {
    const fed = feed(child.stdin, input)
    const taken = await take(child.stdout).then(
      (value): Taken<T> => ({ value, byTaker: false }),
      (error: unknown): Taken<T> => {
        const byTaker = child.exitCode === null && child.signalCode === null
        if (byTaker) stop.start()
        child.stdout.resume()
        return { error, byTaker }
      },
    )
    const ending = await ended
    await fed
    return { ending, taken }
  } finally {
    signal.removeEventListener('abort', stop.start)
    stop.cancel()
  }
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<Ending> {
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    // The end of a long complaint says what went wrong.
    stderr = (stderr + text).slice(-100_000)
  })
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? -1, signal, stderr }))
  })
  ended.catch(() => child.stdout.destroy())
  return ended
}

/** A program that has read enough closes its input; that is no failure, its exit code says whether it was one. */
async function feed(target: Writable, input: Readable | undefined): Promise<void> {
  target.on('error', () => undefined)
  if (!input) {
    target.end()
    return
  }
  await pipeline(input, target).catch((error: unknown) => {
    if (codeOf(error) !== 'EPIPE' && codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  })
}

/** Asks first, forces after `patience`. */
function stopper(ask: () => void, force: () => void): { start(): void; cancel(): void } {
  let timer: NodeJS.Timeout | undefined
  return {
    start: () => {
      ask()
      timer = setTimeout(force, patience)
    },
    cancel: () => clearTimeout(timer),
  }
}

/**
 * The program gets this process's environment (PATH, HOME with its .pgpass, libraries), but of
 * libpq's own variables only those that name the server obs works on.
 */
function environment(variables: Record<string, string>): NodeJS.ProcessEnv {
  const kept = ['PGPASSFILE', 'PGSYSCONFDIR']
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') || kept.includes(name))
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', ...variables }
}
