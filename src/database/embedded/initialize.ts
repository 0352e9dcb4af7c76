import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { RunContext } from '../../context.js'
import { ObsError } from '../../errors.js'
import { isAlive } from '../../is-alive.js'
import { program } from './binaries.js'
import type { Host } from './host.js'
import { lastLines, type ProgramRun, runProgram, speaksOfFullDisk } from './run-program.js'

/** The superuser of the embedded server, and the database obs works in. */
export const superuser = 'obs'
export const databaseName = 'obs'

/**
 * Makes the server's home: data directory, database and password.
 *
 * All of it is made beside its final place and appears by one rename, so that of two
 * commands that do this at once one wins and both go on with the winner's password.
 * After a failure nothing is left behind.
 *
 * @throws ObsError with the last lines of what initdb said.
 */
export async function initialize(host: Host, context: RunContext): Promise<void> {
  const { home } = host.layout
  await removeLeftovers(home)
  const partial = `${home}.partial-${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    await fill(partial, host, context)
    await rename(partial, home)
  } catch (error) {
    if (!existsSync(join(home, 'data'))) throw error
  } finally {
    await rm(partial, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Removes what commands that were killed half-way left beside the home. */
export async function removeLeftovers(home: string): Promise<void> {
  const names = await readdir(dirname(home)).catch((): string[] => [])
  const leftovers = names.filter((name) => isLeftover(name, basename(home)))
  const remove = (name: string) => rm(join(dirname(home), name), { recursive: true, force: true, maxRetries: 5 })
  await Promise.all(leftovers.map(remove))
}

function isLeftover(name: string, home: string): boolean {
  if (name.startsWith(`${home}.discarded-`)) return true
  if (!name.startsWith(`${home}.partial-`)) return false
  const pid = Number.parseInt(name.slice(`${home}.partial-`.length), 10)
  return !isAlive(pid)
}

async function fill(home: string, host: Host, context: RunContext): Promise<void> {
  const password = randomBytes(24).toString('base64url')
  const own = (path: string) => (host.user ? chown(path, host.user.uid, host.user.gid) : Promise.resolve())
  await mkdir(home, { mode: 0o700 })
  if (host.user) await chmod(home, 0o711)
  await writeFile(join(home, 'password'), password, { mode: 0o600, flush: true })
  await writeFile(join(home, 'pwfile'), password, { mode: 0o600 })
  await own(join(home, 'pwfile'))
  for (const folder of ['data', 'socket']) {
    await mkdir(join(home, folder), { mode: 0o700 })
    await own(join(home, folder))
  }
  await runInitdb(home, host, context)
  await rm(join(home, 'pwfile'))
  await createDatabase(home, host, context)
}

const initdbArguments = [
  '--pgdata=data',
  `--username=${superuser}`,
  '--pwfile=pwfile',
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--data-checksums',
  '--no-instructions',
]

/**
 * The built-in C.UTF-8 sorts by code point and is the same on every system; the C of
 * the operating system is what nothing depends on any more. Before PostgreSQL 17 there
 * is no built-in provider, and C, which sorts the same, is all that every system has.
 *
 * https://www.postgresql.org/docs/17/release-17.html
 */
function localeArguments(major: number): readonly string[] {
  return major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []
}

async function runInitdb(home: string, host: Host, { signal }: RunContext): Promise<void> {
  const all = [...initdbArguments, ...localeArguments(host.binaries.major)]
  const options = { user: host.user, folder: home, signal }
  const run = await runProgram(program(host.binaries, 'initdb'), all, options)
  if (run.code !== 0) throw setupFailed('initdb', run, host)
}

/** Without a server, so that nobody ever meets a server that lacks the database. */
async function createDatabase(home: string, host: Host, { signal }: RunContext): Promise<void> {
  const single = ['--single', '-D', 'data', '-c', 'exit_on_error=on', 'postgres']
  const options = { user: host.user, folder: home, signal, input: `create database ${databaseName}\n` }
  const run = await runProgram(program(host.binaries, 'postgres'), single, options)
  if (run.code !== 0) throw setupFailed('postgres --single', run, host)
}

function setupFailed(name: string, run: ProgramRun, { layout }: Host): ObsError {
  const lines = lastLines(run.output)
  const full = speaksOfFullDisk(run.output)
  return new ObsError(`${name} could not make the embedded server's data (code ${run.code}):\n${lines}`, {
    code: full ? 'disk_full' : 'server_setup_failed',
    hint: full
      ? `Free some space (about 60 MB are needed in ${dirname(layout.home)}) and run it again; what was begun is removed.`
      : 'Run obs doctor to see what is missing; what was begun is removed.',
    details: { program: name, exitCode: run.code, output: lines },
  })
}
