import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { quietContext, type RunContext } from '../../../src/context.js'
import { withDatabase } from '../../../src/database/connect.js'
import { type Binaries, findBinaries } from '../../../src/database/embedded/binaries.js'
import { prepareHost } from '../../../src/database/embedded/host.js'
import { initialize } from '../../../src/database/embedded/initialize.js'
import { readLayout } from '../../../src/database/embedded/layout.js'
import { runnableBinaries } from '../../../src/database/embedded/place.js'
import { resetServer, serverStatus, startServer } from '../../../src/database/embedded/server.js'
import { InterruptedError } from '../../../src/errors.js'

const isRoot = process.getuid?.() === 0

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-host-'))
  await chmod(folder, 0o755)
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
})

describe('making the data', () => {
  it('leaves nothing behind when initdb fails, and shows what it said', async () => {
    const host = await prepareHost(join(folder, '.obs'), quietContext())
    const broken = { ...host, binaries: await withoutTemplates(host.binaries) }
    await expect(initialize(broken, quietContext())).rejects.toMatchObject({
      code: 'server_setup_failed',
      message: expect.stringMatching(
        /^initdb could not make the embedded server's data \(code 1\):\n(.|\n)*postgres\.bki/,
      ),
    })
    expect(await readdir(host.layout.state)).toEqual(['.gitignore'])
  })

  it.runIf(isRoot)('leaves nothing behind when the disk is full', async ({ skip }) => {
    const run = promisify(execFile)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=755', 'tmpfs', folder]).catch(() =>
      skip('mount is not allowed'),
    )
    const state = join(folder, '.obs')
    try {
      await expect(startServer(state, quietContext())).rejects.toMatchObject({
        code: 'disk_full',
        hint: expect.stringMatching(/^Free some space/),
      })
      expect(await readdir(state)).toEqual(['.gitignore'])
    } finally {
      await run('umount', [folder])
    }
  })

  it('leaves nothing behind when it is interrupted', async () => {
    const host = await prepareHost(join(folder, '.obs'), quietContext())
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 100)
    await expect(initialize(host, quietContext(stop.signal))).rejects.toBeInstanceOf(InterruptedError)
    expect(await readdir(host.layout.state)).toEqual(['.gitignore'])
  })

  it('keeps what another command made meanwhile', async () => {
    const host = await prepareHost(join(folder, '.obs'), quietContext())
    await Promise.all([initialize(host, quietContext()), initialize(host, quietContext())])
    expect(await readdir(host.layout.state)).toEqual(['.gitignore', 'server'])
    expect(existsSync(join(host.layout.home, 'pwfile'))).toBe(false)
  })
})

describe('the state directory', () => {
  it('keeps its mode when it held something before', async () => {
    await mkdir(join(folder, 'documents'))
    await chmod(folder, 0o750)
    await prepareHost(folder, quietContext())
    expect((await stat(folder)).mode & 0o777).toBe(0o750)
  })
})

describe.runIf(isRoot)('a checkout below a private home', () => {
  it('keeps the server where its account can reach it, and leaves the home private', async () => {
    const home = join(folder, 'home')
    const state = join(home, 'project/.obs')
    await mkdir(state, { recursive: true })
    await chmod(home, 0o700)
    onTestFinished(async () => void (await resetServer(state, quietContext())))
    const said: string[] = []
    const address = await startServer(state, listening(said))
    const rows = await withDatabase(address, quietContext(), ({ sql }) => sql`select 1 as one`.then())
    expect([...rows]).toEqual([{ one: 1 }])
    const { dataDirectory } = await serverStatus(state)
    expect(dataDirectory.startsWith(folder)).toBe(false)
    expect(await readFile(join(state, 'server-location'), 'utf8')).toBe(`${join(dataDirectory, '..')}\n`)
    expect(said.filter((text) => text.includes('cannot reach'))).toHaveLength(1)
    expect((await stat(home)).mode & 0o777).toBe(0o700)
    expect((await stat((await readLayout(state)).password)).mode & 0o777).toBe(0o600)

    expect(await startServer(state, quietContext())).toEqual(address)
    await resetServer(state, quietContext())
    expect(existsSync(join(dataDirectory, '..'))).toBe(false)
    expect(await readdir(state)).toEqual(['.gitignore'])
  })

  it('copies PostgreSQL once to where the account can run it and nobody can change it', async () => {
    const { user } = await prepareHost(join(folder, '.obs'), quietContext())
    const hidden = join(folder, 'home')
    const place = join(folder, 'place')
    await mkdir(hidden, { mode: 0o700 })
    await promisify(execFile)('cp', ['-a', findBinaries().folder, join(hidden, 'native')])
    await rm(join(hidden, 'native/lib/libpq.so.5'))
    const binaries = { ...findBinaries(), folder: join(hidden, 'native') }
    const said: string[] = []
    const copied = await runnableBinaries(binaries, user, folder, listening(said), [place])
    expect(copied.folder).toMatch(/place\/postgresql-18\.\d+-[0-9a-f]{12}\/native$/)
    expect(await runnableBinaries(binaries, user, folder, listening(said), [place])).toEqual(copied)
    expect(said).toEqual([expect.stringMatching(/^copying PostgreSQL to .*place, because .* cannot use it in /)])
    const { stdout } = await promisify(execFile)('find', [
      place,
      '-not',
      '-type',
      'l',
      '-perm',
      '/022',
      '-o',
      '-not',
      '-user',
      'root',
    ])
    expect(stdout).toBe('')
    expect((await stat(hidden)).mode & 0o777).toBe(0o700)
  })

  it('trusts no place that somebody else could write to', async () => {
    const { user } = await prepareHost(join(folder, '.obs'), quietContext())
    const place = join(folder, 'place')
    await mkdir(place)
    await chmod(place, 0o777)
    const hidden = { ...findBinaries(), folder: join(folder, 'nowhere') }
    // The second would be root's alone, in a folder where others could put another in its place.
    const places = [place, join(place, 'inner')]
    await expect(runnableBinaries(hidden, user, folder, quietContext(), places)).rejects.toMatchObject({
      code: 'server_unreachable_by_account',
    })
  })
})

/** The real programs in a package whose `share` is empty; hard links, because PostgreSQL follows symbolic ones. */
async function withoutTemplates(binaries: Binaries): Promise<Binaries> {
  const copy = join(folder, 'broken')
  await mkdir(join(copy, 'bin'), { recursive: true })
  await mkdir(join(copy, 'share'))
  for (const name of await readdir(join(binaries.folder, 'bin'))) {
    await link(join(binaries.folder, 'bin', name), join(copy, 'bin', name)).catch(() =>
      promisify(execFile)('cp', [join(binaries.folder, 'bin', name), join(copy, 'bin', name)]),
    )
  }
  await symlink(join(binaries.folder, 'lib'), join(copy, 'lib'))
  return { ...binaries, folder: copy }
}

function listening(said: string[]): RunContext {
  return { ...quietContext(), progress: { step: (text) => void said.push(text), advance() {}, warn() {} } }
}
