import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { quietContext } from '../../src/context.js'
import { connectionUrl } from '../../src/database/address.js'
import { withDatabase } from '../../src/database/connect.js'
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
 * in a folder of its own that is removed afterwards.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const named = process.env['OBS_TEST_DATABASE_URL']
  if (named) {
    project.provide('serverUrl', named)
    return async () => {}
  }
  const folder = await mkdtemp(join(tmpdir(), 'obs-test-'))
  const address = await startServer(folder, quietContext())
  await withDatabase(address, quietContext(), async ({ sql }) => {
    for (const setting of throwaway) await sql.unsafe(`alter system set ${setting} = off`)
    await sql`select pg_reload_conf()`
  })
  project.provide('serverUrl', connectionUrl(address))
  return async () => {
    await resetServer(folder, quietContext())
    await rm(folder, { recursive: true, force: true })
  }
}
