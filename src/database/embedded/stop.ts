import { rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { quietContext, type RunContext } from '../../context.js'
import { ObsError } from '../../errors.js'
import { throwIfAborted } from '../connect.js'
import { findBinaries, program } from './binaries.js'
import { type Layout, readLayout } from './layout.js'
import { foreignFolder, readPostmaster } from './postmaster.js'
import { runProgram } from './run-program.js'

/** The last checkpoint of a big load can take its time. */
const patience = 2 * 60_000

/**
 * Stops the server of `stateDirectory`: sessions are ended and rolled back, everything
 * is written to disk, and nothing needs recovery afterwards.
 *
 * @returns whether it ran.
 * @throws ObsError when it does not stop within two minutes; it goes on stopping then.
 */
export async function stopServer(stateDirectory: string, context: RunContext = quietContext()): Promise<boolean> {
  const layout = await readLayout(stateDirectory)
  const postmaster = await readPostmaster(layout)
  if (postmaster.state === 'stopped' || postmaster.state === 'stale') return false
  context.progress.step('stopping the embedded PostgreSQL server')
  await requestFastShutdown(postmaster.pid, layout)
  await waitUntilGone(postmaster.pid, layout, context.signal)
  if (dirname(layout.socket) !== layout.home) await rmdir(layout.socket).catch(() => undefined)
  return true
}

/** SIGINT is PostgreSQL's fast shutdown; Windows has no signals, there pg_ctl has another way. */
async function requestFastShutdown(pid: number, layout: Layout): Promise<void> {
  if (process.platform === 'win32') {
    const options = { user: undefined, folder: layout.home }
    await runProgram(program(findBinaries(), 'pg_ctl'), ['stop', '--mode=fast', '--no-wait', '--pgdata=data'], options)
    return
  }
  try {
    process.kill(pid, 'SIGINT')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EPERM') throw foreignFolder(layout.home, error)
    if (code !== 'ESRCH') throw error
  }
}

/** Another command may start a new server right away; that one has another number. */
async function waitUntilGone(pid: number, layout: Layout, signal: AbortSignal): Promise<void> {
  const giveUp = performance.now() + patience
  while (performance.now() < giveUp) {
    const now = await readPostmaster(layout)
    if (now.state === 'stopped' || now.state === 'stale' || now.pid !== pid) return
    throwIfAborted(signal)
    await pause(20)
  }
  throw new ObsError(`the embedded server (pid ${pid}) has not stopped after ${patience / 60_000} minutes`, {
    code: 'server_stop_timeout',
    hint: `Wait and run obs db status, and read ${layout.log}.`,
    details: { pid, log: layout.log },
  })
}
