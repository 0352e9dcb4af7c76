import { existsSync } from 'node:fs'
import { dataVersion } from './host.js'
import { type Layout, readLayout } from './layout.js'
import { readPostmaster } from './postmaster.js'

/** What there is of the embedded server, learnt without starting or asking it. */
export interface ServerStatus {
  readonly state: 'running' | 'starting' | 'stopping' | 'stopped' | 'absent'
  readonly pid: number | null
  readonly port: number | null
  /** The folder of the Unix socket while the server runs. */
  readonly socket: string | null
  readonly startedAt: Date | null
  /** The major version of PostgreSQL that made the data, for example `18`. */
  readonly version: string | null
  readonly dataDirectory: string
  readonly log: string
}

/** Says whether the embedded server of `stateDirectory` exists and runs. */
export async function serverStatus(stateDirectory: string): Promise<ServerStatus> {
  const layout = await readLayout(stateDirectory)
  const postmaster = await readPostmaster(layout)
  const version = (await dataVersion(layout)) ?? null
  const common = { version, dataDirectory: layout.data, log: layout.log }
  if (postmaster.state === 'stopped' || postmaster.state === 'stale') {
    return { state: existence(layout), pid: null, port: null, socket: null, startedAt: null, ...common }
  }
  const { pid, port, socket = null, startedAt } = postmaster
  return { state: postmaster.state === 'ready' ? 'running' : postmaster.state, pid, port, socket, startedAt, ...common }
}

function existence(layout: Layout): 'stopped' | 'absent' {
  return existsSync(layout.data) ? 'stopped' : 'absent'
}
