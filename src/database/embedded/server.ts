import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { RunContext } from '../../context.js'
import { codeOf, ObsError } from '../../errors.js'
import { Secret } from '../../secret.js'
import type { ServerAddress } from '../address.js'
import { throwIfAborted, withDatabase } from '../connect.js'
import type { Binaries } from './binaries.js'
import { prepareHost } from './host.js'
import { databaseName, initialize, superuser } from './initialize.js'
import { launch } from './launch.js'
import { type Layout, readLayout } from './layout.js'
import { foreignFolder, type Postmaster, readPostmaster } from './postmaster.js'

export { type ResetResult, resetServer } from './reset.js'
export { otherSessions, type ServerSession } from './sessions.js'
export { type ServerStatus, serverStatus } from './status.js'
export { stopServer } from './stop.js'

/** How long a server may take to become ready, for example after a crash in the middle of a load. */
const patience = 5 * 60_000

/**
 * Starts the embedded server of `stateDirectory` unless it runs already, making it
 * when there is none, and says where it listens.
 *
 * The server goes on when this process ends. Any number of processes may call this at
 * the same time: they end up with one server.
 *
 * @param installed the PostgreSQL to run; the one that came with obs when undefined.
 * @throws ObsError saying what is missing or what the server's log says; InterruptedError on abort.
 */
export async function startServer(
  stateDirectory: string,
  context: RunContext,
  installed?: Binaries,
): Promise<ServerAddress> {
  const giveUp = performance.now() + patience
  while (performance.now() < giveUp) {
    throwIfAborted(context.signal)
    const layout = await readLayout(stateDirectory)
    const postmaster = await readPostmaster(layout)
    if (postmaster.state === 'ready') return addressOf(layout, postmaster)
    if (postmaster.state !== 'stopped' && postmaster.state !== 'stale') await pause(50)
    else await makeAndLaunch(stateDirectory, context, installed).catch(explainFileError)
  }
  throw neverReady(await readLayout(stateDirectory))
}

/** The address of the server of `stateDirectory` when it runs; starts nothing. */
export async function runningServer(stateDirectory: string): Promise<ServerAddress | undefined> {
  const layout = await readLayout(stateDirectory)
  const postmaster = await readPostmaster(layout)
  return postmaster.state === 'ready' ? addressOf(layout, postmaster) : undefined
}

async function makeAndLaunch(
  stateDirectory: string,
  context: RunContext,
  installed: Binaries | undefined,
): Promise<void> {
  const host = await prepareHost(stateDirectory, context, installed)
  if (!existsSync(host.layout.data)) {
    context.progress.step(`creating an embedded PostgreSQL ${host.binaries.version} server in ${host.layout.home}`)
    await initialize(host, context)
  }
  context.progress.step('starting the embedded PostgreSQL server')
  await launch(host, context)
  const postmaster = await readPostmaster(host.layout)
  if (postmaster.state === 'ready') await ensureDatabase(await addressOf(host.layout, postmaster), context)
}

const fileErrors: Readonly<Record<string, string>> = {
  EACCES: 'this account may not write there',
  EPERM: 'this account may not write there',
  EROFS: 'it is on a read-only disk',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
}

/** Turns what the system refused into what a person can act on; everything else goes on as it is. */
function explainFileError(error: unknown): never {
  const { code = '', path = '' } = error as NodeJS.ErrnoException
  const reason = fileErrors[code]
  if (reason === undefined || error instanceof ObsError) throw error
  throw new ObsError(`the embedded server needs ${path}, but ${reason} (${code})`, {
    code: code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'state_directory_unwritable',
    hint: 'Make room or grant the right, or name another folder with OBS_STATE_DIR.',
    cause: error,
    details: { path, reason: code },
  })
}

/** Somebody may have dropped it; a server without it would be of no use to any command. */
async function ensureDatabase(address: ServerAddress, context: RunContext): Promise<void> {
  await withDatabase(
    { ...address, database: 'postgres' },
    context,
    async ({ sql }) => {
      const [found] = await sql`select from pg_database where datname = ${databaseName}`
      if (!found) await sql`create database ${sql(databaseName)}`.catch(ignoreDuplicate)
    },
    { connections: 1, purpose: 'start' },
  )
}

function ignoreDuplicate(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== '42P04' && code !== '23505') throw error
}

async function addressOf(layout: Layout, { port }: Extract<Postmaster, { port: number }>): Promise<ServerAddress> {
  return {
    host: '127.0.0.1',
    port,
    database: databaseName,
    user: superuser,
    password: await readPassword(layout),
    sslMode: 'disable',
    source: 'the embedded server',
  }
}

async function readPassword(layout: Layout): Promise<Secret> {
  try {
    return new Secret((await readFile(layout.password, 'utf8')).trim())
  } catch (error) {
    if (codeOf(error) === 'EACCES') throw foreignFolder(layout.home, error)
    throw new ObsError(`the embedded server's password file ${layout.password} cannot be read`, {
      code: 'password_missing',
      hint: 'Put the file back, or make a new, empty server with obs db reset.',
      cause: error,
      details: { path: layout.password },
    })
  }
}

function neverReady(layout: Layout): ObsError {
  return new ObsError(`the embedded server is not ready after ${patience / 60_000} minutes`, {
    code: 'server_not_ready',
    exitCode: 3,
    hint: `Read ${layout.log}; it may be recovering from a crash, then wait and run it again.`,
    details: { log: layout.log },
  })
}
