import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { quietContext } from '../../src/context.js'
import { connectionUrl } from '../../src/database/address.js'
import { type Sql, withDatabase } from '../../src/database/connect.js'
import { type Binaries, findBinaries } from '../../src/database/embedded/binaries.js'
import { resetServer, startServer } from '../../src/database/embedded/server.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's URL on the one server of this run. */
    serverUrl: string
  }
}

/** Nothing on this server outlives the run, so nothing has to survive a power cut. */
const throwaway = ['fsync', 'full_page_writes', 'synchronous_commit']

/**
 * One server for the whole run: the one OBS_TEST_DATABASE_URL names, else an embedded one
 * in a folder of its own that is removed afterwards. OBS_TEST_POSTGRES=15 makes that one
 * a PostgreSQL 15, which `npm run test:matrix` installs.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const named = process.env['OBS_TEST_DATABASE_URL']
  if (named) {
    project.provide('serverUrl', named)
    return async () => {}
  }
  const folder = await mkdtemp(join(tmpdir(), 'obs-test-'))
  const binaries = binariesOf(process.env['OBS_TEST_POSTGRES'])
  const address = await startServer(folder, quietContext(), binaries)
  await withDatabase(address, quietContext(), async ({ sql }) => {
    await confirmVersion(sql, binaries)
    for (const setting of throwaway) await sql.unsafe(`alter system set ${setting} = off`)
    await sql`select pg_reload_conf()`
  })
  project.provide('serverUrl', connectionUrl(address))
  return async () => {
    await resetServer(folder, quietContext())
    await rm(folder, { recursive: true, force: true })
  }
}

/** The binaries below test/servers of a major version; undefined for the PostgreSQL that came with obs. */
function binariesOf(major: string | undefined): Binaries | undefined {
  if (!major || Number(major) === findBinaries().major) return undefined
  const manifest = new URL(`../servers/postgres-${major}/package.json`, import.meta.url)
  return findBinaries(undefined, createRequire(fileURLToPath(manifest)).resolve)
}

/** So that a run on an old version is not a run on the newest by another name. */
async function confirmVersion(sql: Sql, { major } = findBinaries()): Promise<void> {
  const [row] = await sql<{ version: string }[]>`select current_setting('server_version_num') as version`
  const running = Math.floor(Number(row?.version) / 10_000)
  if (running !== major) throw new Error(`the test server is PostgreSQL ${running}, and ${major} was wanted`)
}
