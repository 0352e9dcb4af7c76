import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RunContext } from '../../context.js'
import { ObsError } from '../../errors.js'
import { type Binaries, findBinaries } from './binaries.js'
import { type Layout, layoutAt, prepareStateDirectory, readLayout, shortHash } from './layout.js'
import { canEnter, reachablePlace, runnableBinaries } from './place.js'
import { chooseServerUser, type ServerUser } from './server-user.js'

/** Everything that starting a server needs to know about this machine. */
export interface Host {
  readonly layout: Layout
  readonly binaries: Binaries
  /** Undefined when the server runs as the account that runs obs. */
  readonly user: ServerUser | undefined
}

/**
 * Decides who runs the server, from where, and where its data is.
 *
 * @param installed the PostgreSQL to run; normally the one that came with obs.
 * @throws ObsError when PostgreSQL is missing or does not run here, when the data is of
 * another major version, or when nobody suitable can reach it. The data is never touched.
 */
export async function prepareHost(
  stateDirectory: string,
  context: RunContext,
  installed: Binaries = findBinaries(),
): Promise<Host> {
  await prepareStateDirectory(stateDirectory)
  const layout = await readLayout(stateDirectory)
  const owner = await stat(layout.data).catch(() => undefined)
  await checkVersion(layout, installed)
  const user = await chooseServerUser(owner)
  const binaries = await runnableBinaries(installed, user, layout.state, context)
  return { binaries, user, layout: user ? await reachableLayout(layout, user, context) : layout }
}

async function checkVersion(layout: Layout, binaries: Binaries): Promise<void> {
  const version = await dataVersion(layout)
  if (version === undefined || version === String(binaries.major)) return
  throw new ObsError(
    `the embedded server's data is of PostgreSQL ${version}, and obs comes with PostgreSQL ${binaries.version}`,
    {
      code: 'data_version_mismatch',
      hint: `Use the obs that made it to take a backup, then obs db reset and obs backup restore; nothing was touched in ${layout.data}.`,
      details: { data: version, binaries: binaries.version, dataDirectory: layout.data },
    },
  )
}

/** The major version that made the data, undefined when there is none. */
export async function dataVersion(layout: Layout): Promise<string | undefined> {
  const text = await readFile(join(layout.data, 'PG_VERSION'), 'utf8').catch(() => undefined)
  return text?.trim()
}

async function reachableLayout(layout: Layout, user: ServerUser, context: RunContext): Promise<Layout> {
  if (existsSync(layout.home)) {
    if (await canEnter(user, layout.home)) return layout
    throw unreachable(layout, user)
  }
  if (await canEnter(user, dirname(layout.home))) return layout
  return relocate(layout, user, context)
}

async function relocate(layout: Layout, user: ServerUser, context: RunContext): Promise<Layout> {
  const home = join(await reachablePlace(user), 'servers', shortHash(layout.state))
  await mkdir(dirname(home), { recursive: true })
  await chmod(dirname(home), 0o711)
  await writeFile(layout.pointer, `${home}\n`, { flush: true })
  context.progress.step(`keeping the embedded server in ${home}, because ${user.name} cannot reach ${layout.state}`)
  return layoutAt(layout.state, home)
}

function unreachable(layout: Layout, user: ServerUser): ObsError {
  return new ObsError(`${user.name}, who runs the embedded server, can no longer reach ${layout.home}`, {
    code: 'server_unreachable_by_account',
    hint: `Move ${layout.state} to a folder that ${user.name} can enter and name it with OBS_STATE_DIR, or make a new server with obs db reset.`,
    details: { account: user.name, folder: layout.home },
  })
}
