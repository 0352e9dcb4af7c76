import { execFile } from 'node:child_process'
import { readFile, readlink, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf, ObsError } from '../../errors.js'
import { isAlive } from '../../is-alive.js'
import type { Layout } from './layout.js'

/** What `postmaster.pid` says, checked against the process it names. */
export type Postmaster =
  | { readonly state: 'stopped' }
  /** The server was killed, and its process number is free or belongs to something else. */
  | { readonly state: 'stale'; readonly pid: number }
  | {
      readonly state: 'ready' | 'starting' | 'stopping'
      readonly pid: number
      readonly port: number
      /** The folder of the Unix socket, undefined when there is none. */
      readonly socket: string | undefined
      readonly startedAt: Date
    }

/**
 * Reads the state of the server that owns `layout.data`.
 *
 * @throws ObsError when this account may not look into the folder.
 */
export async function readPostmaster(layout: Layout): Promise<Postmaster> {
  const text = await readPidFile(layout)
  const file = text === undefined ? undefined : parsePidFile(text)
  if (file === undefined) return { state: 'stopped' }
  if (!(await isPostmaster(file.pid, layout.data))) return { state: 'stale', pid: file.pid }
  return file
}

/**
 * Reads the lines of a `postmaster.pid`: pid, data directory, start time, port, socket
 * folder, listen address, shared memory, status. Lines are added while the server starts.
 *
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/pidfile.h
 */
export function parsePidFile(text: string): Exclude<Postmaster, { state: 'stopped' | 'stale' }> | undefined {
  const [pid = '', , startedAt = '', port = '', socket = '', , , status = ''] = text
    .split('\n')
    .map((line) => line.trim())
  const number = Math.abs(Number.parseInt(pid, 10))
  if (!Number.isSafeInteger(number) || number === 0) return undefined
  return {
    state: status === 'ready' ? 'ready' : status === 'stopping' ? 'stopping' : 'starting',
    pid: number,
    port: Number.parseInt(port, 10) || 0,
    socket: socket || undefined,
    startedAt: new Date(Number(startedAt) * 1000),
  }
}

/** The error for a server folder that belongs to another account. */
export function foreignFolder(folder: string, cause: unknown): ObsError {
  return new ObsError(`the embedded server in ${folder} belongs to another account`, {
    code: 'server_folder_foreign',
    hint: 'Run obs as the account that created it, or set OBS_STATE_DIR to a folder of your own.',
    cause,
    details: { folder },
  })
}

async function readPidFile(layout: Layout): Promise<string | undefined> {
  try {
    return await readFile(join(layout.data, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    if (codeOf(error) === 'EACCES') throw foreignFolder(layout.home, error)
    throw error
  }
}

/**
 * Tells a server from whatever else may carry its number after a crash or a reboot.
 *
 * In a container numbers repeat from one start to the next, so that "there is a process
 * of that number" means nothing. PostgreSQL works inside its data directory, which
 * settles it; where the system hides that, the program's name has to do.
 */
export async function isPostmaster(pid: number, data: string): Promise<boolean> {
  if (!isAlive(pid)) return false
  if (process.platform === 'win32') return true
  const folder = await readlink(`/proc/${pid}/cwd`).catch((error: unknown) => codeOf(error))
  if (folder.startsWith('/')) return sameFolder(folder, data)
  const name = await programName(pid)
  return name === undefined || name === 'postgres'
}

async function sameFolder(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(one).catch(() => undefined), stat(other).catch(() => undefined)])
  if (a && b) return a.ino === b.ino && a.dev === b.dev
  return one === (await realpath(other).catch(() => other))
}

/** The name of a running program, '' for one that ended and was not collected, undefined when nobody says. */
async function programName(pid: number): Promise<string | undefined> {
  const viaProc = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined)
  if (viaProc !== undefined) return basename(viaProc.split('\0')[0] ?? '')
  const viaPs = await promisify(execFile)('ps', ['-o', 'comm=', '-p', String(pid)]).catch(() => undefined)
  return viaPs && basename(viaPs.stdout.trim())
}
