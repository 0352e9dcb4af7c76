import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RunContext } from '../../context.js'
import { ObsError } from '../../errors.js'
import { type Binaries, completeLibraries, program } from './binaries.js'
import { lastLines, type ProgramRun, runProgram } from './run-program.js'
import type { ServerUser } from './server-user.js'

/**
 * Finds a folder of obs's own that the server's account can reach, for what it cannot
 * reach where it is.
 *
 * Only root needs one. It is owned by root and writable by nobody else, because root
 * runs programs from it.
 *
 * @throws ObsError when there is none.
 */
export async function reachablePlace(user: ServerUser, candidates = rootPlaces()): Promise<string> {
  for (const place of candidates) {
    if ((await isOwnFolder(place)) && (await canEnter(user, place))) return place
  }
  throw new ObsError(`there is no folder that ${user.name}, who runs the embedded server, can reach`, {
    code: 'server_unreachable_by_account',
    hint: 'Run obs as an ordinary user, or set OBS_STATE_DIR to a folder outside of private homes.',
    details: { account: user.name, tried: candidates },
  })
}

/** Whether an account may pass through all the folders down to this one. */
export async function canEnter(user: ServerUser, folder: string): Promise<boolean> {
  const { code } = await runProgram('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { user, folder: '/' })
  return code === 0
}

/**
 * The binaries, where the account that runs the server can run them: as they were
 * installed, else copied once to a place of obs's own.
 *
 * @throws ObsError when they do not run there either, with what the system said.
 */
export async function runnableBinaries(
  binaries: Binaries,
  user: ServerUser | undefined,
  stateDirectory: string,
  context: RunContext,
  places = rootPlaces(),
): Promise<Binaries> {
  const complete = await completeLibraries(binaries)
  const trial = await tryOut(binaries, user)
  if (complete && trial === undefined && !shellMinds(binaries.folder)) return binaries
  if (complete && user === undefined && !shellMinds(binaries.folder)) throw cannotRun(binaries, trial, user)
  const place = user ? await reachablePlace(user, places) : stateDirectory
  const copied = await copyBinaries(binaries, place, user, context)
  const again = await tryOut(copied, user)
  if (again !== undefined) throw cannotRun(copied, again, user)
  return copied
}

function rootPlaces(): readonly string[] {
  return ['/var/lib/obs', join(tmpdir(), 'obs-root')]
}

async function isOwnFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o755 })
    await chmod(folder, 0o755)
  } catch {
    // It is there already, or it cannot be made; what is there decides.
  }
  const found = await lstat(folder).catch(() => undefined)
  if (found?.isDirectory() !== true || found.uid !== 0 || (found.mode & 0o022) !== 0) return false
  return keepsNames(dirname(folder))
}

const stickyBit = 0o1000

/** Whether nobody but root can put another folder in the place of one of root's in here; TMPDIR may be somebody's own. */
async function keepsNames(folder: string): Promise<boolean> {
  const { uid, mode } = await stat(folder)
  return uid === 0 && ((mode & 0o022) === 0 || (mode & stickyBit) !== 0)
}

/** Runs `postgres --version`; what went wrong, or undefined. */
async function tryOut(binaries: Binaries, user: ServerUser | undefined): Promise<string | undefined> {
  const run = await runProgram(program(binaries, 'postgres'), ['--version'], { user, folder: '/' }).catch(
    (error: Error): ProgramRun => ({ code: 127, output: error.message }),
  )
  return run.code === 0 ? undefined : lastLines(run.output) || `it ended with code ${run.code}`
}

/** pg_ctl puts its own path between double quotes into a shell command. */
function shellMinds(path: string): boolean {
  return process.platform !== 'win32' && /["$`\\]/.test(path)
}

async function copyBinaries(
  binaries: Binaries,
  place: string,
  user: ServerUser | undefined,
  context: RunContext,
): Promise<Binaries> {
  const name = join(place, `postgresql-${binaries.version}-${await contentHash(binaries.folder)}`)
  const copied = { ...binaries, folder: join(name, 'native') }
  if (existsSync(copied.folder)) return copied
  const reader = user ? `${user.name}, who runs the server, cannot use it` : 'it lacks library links'
  context.progress.step(`copying PostgreSQL to ${place}, because ${reader} in ${binaries.folder}`)
  const partial = `${name}.partial-${process.pid}`
  // Process numbers repeat: one of this number may have been killed here before.
  await rm(partial, { recursive: true, force: true })
  try {
    await mkdir(partial, { mode: 0o755 })
    await copyFolder(binaries.folder, join(partial, 'native'))
    await chmod(partial, 0o755)
    await completeLibraries({ folder: join(partial, 'native') })
    await rename(partial, name)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    if (!existsSync(copied.folder)) throw error
  }
  return copied
}

/** Static libraries are for compilers. */
const needless = /\.a$|^(pkgconfig|include)$/

async function copyFolder(source: string, target: string): Promise<void> {
  await mkdir(target)
  await chmod(target, 0o755)
  for (const entry of await entriesOf(source)) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)]
    if (entry.isDirectory()) await copyFolder(from, to)
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to)
    else await copyReadable(from, to)
  }
}

async function copyReadable(from: string, to: string): Promise<void> {
  const { mode } = await lstat(from)
  await copyFile(from, to)
  await chmod(to, mode & 0o100 ? 0o755 : 0o644)
}

async function contentHash(folder: string): Promise<string> {
  const hash = createHash('sha256')
  await hashFolder(folder, '', (part) => void hash.update(part))
  return hash.digest('hex').slice(0, 12)
}

async function hashFolder(folder: string, inside: string, update: (part: string | Buffer) => void): Promise<void> {
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name)
    update(`${inside}/${entry.name}\0`)
    if (entry.isDirectory()) await hashFolder(path, `${inside}/${entry.name}`, update)
    else update(entry.isSymbolicLink() ? await readlink(path) : await readFile(path))
  }
}

async function entriesOf(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter(({ name }) => !needless.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function cannotRun(binaries: Binaries, reason: string | undefined, user: ServerUser | undefined): ObsError {
  return new ObsError(`the embedded server's PostgreSQL does not run here: ${reason}`, {
    code: 'server_binaries_unusable',
    hint: `Run npm rebuild ${binaries.packageName} (it needs glibc on Linux), or name a server of your own with DATABASE_URL.`,
    details: { folder: binaries.folder, account: user?.name, reason },
  })
}
