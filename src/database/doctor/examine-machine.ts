import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ObsError } from '../../errors.js'
import { findBinaries } from '../embedded/binaries.js'
import { readLayout } from '../embedded/layout.js'
import { type ServerStatus, serverStatus } from '../embedded/server.js'
import { chooseServerUser } from '../embedded/server-user.js'
import { type Finding, fail, ok, warn } from './finding.js'

/** The Node that `engines` of package.json demands. */
const oldestNode = [20, 19] as const

/** Bytes: with less a load of any size, or a backup beside it, is likely to fail. */
const littleSpace = 2 * 1024 ** 3
const noSpace = 200 * 1024 ** 2

export function examineNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const recent = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
  if (recent) return ok('node', `Node ${version}`)
  return fail('node', `Node ${version}`, `Install Node ${oldestNode.join('.')} or newer.`)
}

/** The package with PostgreSQL; without it everything works but the embedded server. */
export function examinePackage(needed: boolean): Finding {
  try {
    const { packageName, version } = findBinaries()
    return ok('platform-package', `PostgreSQL ${version} from ${packageName}`)
  } catch (error) {
    if (!(error instanceof ObsError)) throw error
    return (needed ? fail : warn)('platform-package', error.message, error.hint ?? '')
  }
}

/** Who would run the embedded server. */
export async function examineAccount(stateDirectory: string): Promise<Finding> {
  const { data } = await readLayout(stateDirectory)
  const user = await chooseServerUser(await stat(data).catch(() => undefined))
  if (user === undefined) return ok('server-account', 'this account runs the embedded server')
  return ok('server-account', `${user.name} runs the embedded server, because PostgreSQL refuses to run as root`)
}

/** The state directory and the server in it. */
export async function examineState(stateDirectory: string): Promise<Finding> {
  const id = 'state-directory'
  const folder = await nearestFolder(stateDirectory)
  if (!(await isWritable(folder))) {
    return fail(id, `${folder} takes no new files`, 'Make it writable, or name another folder with OBS_STATE_DIR.')
  }
  try {
    const status = await serverStatus(stateDirectory)
    const { password } = await readLayout(stateDirectory)
    const mode = (await stat(password).catch(() => undefined))?.mode ?? 0o600
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      return fail(id, `others can read ${password}`, `Run chmod 600 ${password}.`)
    }
    return ok(id, `${stateDirectory}: ${describe(status)}`)
  } catch (error) {
    if (!(error instanceof ObsError)) throw error
    return fail(id, error.message, error.hint ?? '')
  }
}

/** Room where the embedded server and the backups are. */
export async function examineSpace(id: string, folder: string): Promise<Finding> {
  const found = await nearestFolder(folder)
  const { bavail, bsize } = await statfs(found)
  const free = bavail * bsize
  const observed = `${(free / 1024 ** 3).toFixed(1)} GiB free in ${found}`
  if (free < noSpace) return fail(id, observed, 'Free some space, or move it to another disk.')
  return free < littleSpace ? warn(id, observed, 'Free some space before a large load.') : ok(id, observed)
}

function describe({ state, port }: ServerStatus): string {
  if (state === 'absent') return 'no embedded server yet'
  return state === 'running' ? `the embedded server runs on port ${port}` : `the embedded server is ${state}`
}

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() || dirname(path) === path ? path : nearestFolder(dirname(path))
}

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
}
