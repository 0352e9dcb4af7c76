import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { RunContext } from '../../context.js'
import { throwIfAborted } from '../connect.js'
import { removeLeftovers } from './initialize.js'
import { readLayout } from './layout.js'
import { stopServer } from './stop.js'

export interface ResetResult {
  /** Whether there was a server to delete. */
  readonly existed: boolean
  /** Whether it ran. */
  readonly stopped: boolean
}

/**
 * Stops the server of `stateDirectory` and deletes all of its data; the next start makes a new one.
 *
 * The data disappears by one rename, so that an interruption leaves either all or nothing.
 */
export async function resetServer(stateDirectory: string, context: RunContext): Promise<ResetResult> {
  throwIfAborted(context.signal)
  const stopped = await stopServer(stateDirectory, context)
  const layout = await readLayout(stateDirectory)
  const existed = existsSync(layout.home)
  if (existed) {
    context.progress.step('deleting the data of the embedded PostgreSQL server')
    await rename(layout.home, `${layout.home}.discarded-${randomBytes(4).toString('hex')}`)
  }
  await removeLeftovers(layout.home)
  await rm(layout.pointer, { force: true })
  return { existed, stopped }
}
