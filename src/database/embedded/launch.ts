import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { RunContext } from '../../context.js'
import { codeOf, ObsError } from '../../errors.js'
import { throwIfAborted } from '../connect.js'
import { program } from './binaries.js'
import type { Host } from './host.js'
import type { Layout } from './layout.js'
import { choosePort } from './port.js'
import { isPostmaster, parsePidFile, readPostmaster } from './postmaster.js'
import { lastLines, runProgram, speaksOfFullDisk } from './run-program.js'
import type { ServerUser } from './server-user.js'
import { renderConfiguration } from './settings.js'

/** How often a start is tried again when the reason for its failure passes. */
const attempts = 20

/** The log is set aside when it has grown beyond this; one older one is kept. */
const longestLog = 10 * 1024 * 1024

/**
 * Starts the server, which then outlives this process.
 *
 * Returns without an error as well when another command started it meanwhile; it is
 * not necessarily ready then.
 *
 * @throws ObsError with the end of the server's log when it does not start.
 */
export async function launch(host: Host, context: RunContext, choose = choosePort): Promise<void> {
  const { layout } = host
  await removeStalePidFile(layout)
  await removeStaleSockets(layout)
  await prepareFiles(host, context)
  let preferred = await lastPort(layout)
  for (let attempt = 1; ; attempt++) {
    const log = await startOnce(host, await choose(preferred), context)
    if (log === undefined || (await isSomebodyElses(layout))) return
    const reason = passingReason(log)
    if (reason === undefined || attempt === attempts) throw startFailed(layout, log)
    if (reason === 'port taken') preferred = undefined
    else await pause(500, undefined, { signal: context.signal }).catch(() => throwIfAborted(context.signal))
  }
}

/**
 * Removes the pid file of a server that was killed, when its number belongs to another
 * process by now: PostgreSQL would take that process for a running server.
 *
 * The file is set aside first and looked at again, because another command may have
 * started a server since we judged it. When it is gone by then, another command was first.
 */
async function removeStalePidFile(layout: Layout): Promise<void> {
  const judged = await readPostmaster(layout)
  if (judged.state !== 'stale') return
  const [path, aside] = [
    join(layout.data, 'postmaster.pid'),
    join(layout.data, `postmaster.stale-${randomBytes(4).toString('hex')}`),
  ]
  if (!(await setAside(path, aside))) return
  const moved = parsePidFile(await readFile(aside, 'utf8'))
  if (moved === undefined || moved.pid === judged.pid) return unlink(aside)
  await rename(aside, path)
}

/** Whether there was something to set aside. */
async function setAside(path: string, aside: string): Promise<boolean> {
  try {
    await rename(path, aside)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/**
 * Removes the locks of sockets whose server was killed, for the same reason. The folder
 * is this server's alone.
 */
async function removeStaleSockets({ socket, data }: Layout): Promise<void> {
  const names = await readdir(socket).catch((): string[] => [])
  for (const name of names.filter((candidate) => candidate.endsWith('.lock'))) {
    const lock = join(socket, name)
    const pid = Number.parseInt(await readFile(lock, 'utf8').catch(() => ''), 10)
    if (Number.isNaN(pid) || (await isPostmaster(pid, data))) continue
    await rm(lock, { force: true })
    await rm(lock.slice(0, -'.lock'.length), { force: true })
  }
}

async function prepareFiles(host: Host, context: RunContext): Promise<void> {
  const { layout, user } = host
  const socket = await prepareSocketFolder(layout, user, context)
  const partial = `${layout.configuration}.${randomBytes(4).toString('hex')}`
  await writeFile(partial, renderConfiguration(socket), { mode: 0o644 })
  await rename(partial, layout.configuration)
  await rotateLog(layout.log)
  const log = await open(layout.log, 'a', 0o600)
  try {
    if (user) await log.chown(user.uid, user.gid)
  } finally {
    await log.close()
  }
}

/** Makes the socket's folder, or says that the server will do without. */
async function prepareSocketFolder(
  { socket, home }: Layout,
  user: ServerUser | undefined,
  context: RunContext,
): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined
  if (dirname(socket) !== home) await makeSharedFolder(socket, user)
  const found = await lstat(socket).catch(() => undefined)
  const uid = user?.uid ?? process.getuid?.()
  if (found?.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return socket
  context.progress.warn(`no Unix socket: ${socket} is not a private folder of the server's account`)
  return undefined
}

async function makeSharedFolder(folder: string, user: ServerUser | undefined): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
    await chmod(folder, 0o700)
    if (user) await chown(folder, user.uid, user.gid)
  } catch {
    // In a folder that everybody writes to somebody may have been first; the caller looks.
  }
}

async function rotateLog(log: string): Promise<void> {
  if ((await logSize(log)) > longestLog) await setAside(log, `${log}.1`)
}

/** The port of the last start, as the server itself wrote it down. */
async function lastPort(layout: Layout): Promise<number | undefined> {
  const options = await readFile(join(layout.data, 'postmaster.opts'), 'utf8').catch(() => '')
  const [, port] = /"-p" "(\d+)"/.exec(options) ?? []
  return port === undefined ? undefined : Number(port)
}

/**
 * One attempt; what the log says when it failed, undefined when the server is ready.
 *
 * Paths are relative to the home, because pg_ctl pastes them into a shell command.
 */
async function startOnce(host: Host, port: number, { signal }: RunContext): Promise<string | undefined> {
  const { layout, user, binaries } = host
  const options = `-c config_file=postgresql.conf -p ${port}`
  const before = await logSize(layout.log)
  const log = await open(layout.log, 'a')
  try {
    const run = await runProgram(
      program(binaries, 'pg_ctl'),
      ['start', '--wait', '--timeout=60', '--pgdata=data', '--log=server.log', `--options=${options}`],
      { user, folder: layout.home, signal, output: log.fd },
    )
    return run.code === 0 ? undefined : await logSince(layout.log, before)
  } finally {
    await log.close()
  }
}

async function logSize(log: string): Promise<number> {
  return (await stat(log).catch(() => undefined))?.size ?? 0
}

async function logSince(log: string, offset: number): Promise<string> {
  const content = await readFile(log)
  return content.subarray(offset).toString()
}

async function isSomebodyElses(layout: Layout): Promise<boolean> {
  const { state } = await readPostmaster(layout)
  return state === 'ready' || state === 'starting'
}

/**
 * Why a start failed, when it is worth another attempt. Sessions of a server that was
 * killed live on for a moment, and PostgreSQL waits for the last of them.
 */
function passingReason(log: string): 'port taken' | 'still ending' | undefined {
  if (log.includes('could not create any TCP/IP sockets')) return 'port taken'
  return log.includes('pre-existing shared memory block') ? 'still ending' : undefined
}

function startFailed(layout: Layout, log: string): ObsError {
  const lines = lastLines(log)
  const full = speaksOfFullDisk(log)
  return new ObsError(`the embedded server did not start:\n${lines}`, {
    code: full ? 'disk_full' : 'server_start_failed',
    hint: full
      ? `Free some space in ${layout.home} and run it again; its data is as it was.`
      : `Read ${layout.log}, mend what it names and run it again; obs db reset makes a new, empty server.`,
    details: { log: layout.log, output: lines },
  })
}
