import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Where everything of the embedded server is. */
export interface Layout {
  /** The project's state directory, normally `.obs`. */
  readonly state: string
  /** Names the home when it had to be placed outside the state directory. */
  readonly pointer: string
  /** The folder that holds everything below, and nothing else; it appears complete, by one rename. */
  readonly home: string
  /** PostgreSQL's data directory. */
  readonly data: string
  /** The superuser's password, for its owner's eyes only. */
  readonly password: string
  /** Written by obs at every start; PostgreSQL's own postgresql.conf is not used. */
  readonly configuration: string
  readonly log: string
  /** The folder of the Unix socket. */
  readonly socket: string
}

/** Reads where the server of a state directory is; nothing needs to exist yet. */
export async function readLayout(stateDirectory: string): Promise<Layout> {
  const state = await realpath(stateDirectory).catch(() => resolve(stateDirectory))
  const pointer = join(state, 'server-location')
  const elsewhere = await readFile(pointer, 'utf8').catch(() => '')
  return layoutAt(state, elsewhere.trim() || join(state, 'server'))
}

/** The layout of a server whose home is a given folder. */
export function layoutAt(state: string, home: string): Layout {
  return {
    state,
    pointer: join(state, 'server-location'),
    home,
    data: join(home, 'data'),
    password: join(home, 'password'),
    configuration: join(home, 'postgresql.conf'),
    log: join(home, 'server.log'),
    socket: socketFolder(home),
  }
}

/** A short name that stands for a path and changes with it. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/**
 * Makes the state directory, invisible to git, and lets other accounts pass through it
 * (not list it): the server's account has to reach its data below.
 *
 * The mode of a folder that already held something is left alone, because it may be
 * somebody's home.
 */
export async function prepareStateDirectory(state: string): Promise<void> {
  await mkdir(state, { recursive: true })
  const content = await readdir(state)
  if (content.includes('.gitignore')) return
  await writeFile(join(state, '.gitignore'), '*\n')
  if (content.length === 0 && process.getuid?.() === 0) await chmod(state, 0o711)
}

/** The longest path that fits into `sun_path` with its closing zero, on Linux and on macOS. */
const longestSocketPath = process.platform === 'darwin' ? 103 : 107

function socketFolder(home: string): string {
  const inside = join(home, 'socket')
  const longest = join(inside, '.s.PGSQL.65535')
  return Buffer.byteLength(longest) <= longestSocketPath ? inside : join(tmpdir(), `obs-${shortHash(home)}`)
}
