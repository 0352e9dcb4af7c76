import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import { throwIfAborted } from '../database/connect.js'
import { ObsError, UsageError } from '../errors.js'
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
  const { code, stdout } = await run(path, ['--version'], {}, new AbortController().signal).catch(() => ({
    code: -1,
    stdout: '',
  }))
  const version = new RegExp(`^${name} \\(PostgreSQL\\) ((\\d+)\\S*)`).exec(stdout)
  if (code === 0 && version) return { name, path, version: version[1] ?? '', major: Number(version[2]) }
  if (named === undefined) return undefined
  throw new UsageError(`${named} is not a ${name} that runs here`, {
    code: 'invalid_pg_dump',
    hint: `Name the ${name} program itself, for example /usr/lib/postgresql/18/bin/${name}; nothing was written.`,
    details: { path: named },
  })
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

/**
 * Runs a client program of PostgreSQL against `address` and returns what it wrote to stdout.
 *
 * It is started without a shell, and the connection travels in its environment: process
 * arguments can be read by every user of the machine. When the run is interrupted it is
 * asked to stop, and killed if it does not.
 *
 * @throws ObsError `<tool>_failed` with what the tool wrote to stderr.
 */
export async function runTool(
  tool: NativeTool,
  args: readonly string[],
  address: ServerAddress | undefined,
  context: RunContext,
): Promise<string> {
  return withTlsFiles(address, async (tlsVariables) => {
    const variables = address ? { ...connectionVariables(address), ...tlsVariables } : {}
    const { code, stdout, stderr } = await run(tool.path, args, variables, context.signal)
    throwIfAborted(context.signal)
    if (code === 0) return stdout
    throw toolFailed(tool, code, stderr, address)
  })
}

function toolFailed(tool: NativeTool, code: number, stderr: string, address: ServerAddress | undefined): ObsError {
  const diskIsFull = /No space left on device|Disk quota exceeded/i.test(stderr)
  // pg_restore with an address fills the server's disk, everything else fills that of the backups.
  const fullDiskHint =
    tool.name === 'pg_restore' && address
      ? "Free some space on the server's disk and restore again; the backup was only read."
      : 'Free some space or name a folder on another disk with OBS_BACKUPS; the database was only read.'
  return new ObsError(`${tool.path} ended with exit code ${code}: ${stderr.trim() || 'it said nothing'}`, {
    code: diskIsFull ? 'disk_full' : `${tool.name}_failed`,
    hint: diskIsFull ? fullDiskHint : 'Read what it said above; nothing was left behind.',
    details: { tool: tool.path, version: tool.version, exit_code: code },
  })
}

function connectionVariables(address: ServerAddress): Record<string, string> {
  return {
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGDATABASE: address.database,
    PGSSLMODE: address.host.startsWith('/') ? 'disable' : address.sslMode,
    PGCONNECT_TIMEOUT: '10',
    PGAPPNAME: 'obs backup',
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
  readonly stdout: string
  readonly stderr: string
}

/** Rejects only when the program cannot be started. */
function run(
  path: string,
  args: readonly string[],
  variables: Record<string, string>,
  signal: AbortSignal,
): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { env: environment(variables), stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = stopper(
      () => child.kill('SIGTERM'),
      () => child.kill('SIGKILL'),
    )
    signal.addEventListener('abort', stop.start, { once: true })
    if (signal.aborted) stop.start()
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      // The end of a long complaint says what went wrong.
      stderr = (stderr + text).slice(-10_000)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      signal.removeEventListener('abort', stop.start)
      stop.cancel()
      resolve({ code: code ?? -1, stdout, stderr })
    })
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
