import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import { type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { type Sql, withDatabase } from '../../src/database/connect.js'
import { resetServer, serverStatus, startServer, stopServer } from '../../src/database/embedded/server.js'

/** A server that a test may stop, restart and set up as it likes. */
export interface OwnServer {
  /** Of its maintenance database, as a superuser. */
  readonly address: ServerAddress
  /** Runs `work` in its maintenance database. */
  ask<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  /** Sets what needs a restart, and restarts it. */
  restartWith(settings: Readonly<Record<string, number>>): Promise<void>
  /** The number of the process that all of its sessions come from. */
  pid(): Promise<number>
  /** Resolves when the server, which was told to stop, has stopped and runs again. */
  backAgain(pid: number): Promise<void>
  close(): Promise<void>
}

/** An embedded server of the newest version; whoever asks for it closes it in `afterAll`. */
export async function openOwnServer(): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), 'obs-own-server-'))
  const start = async () => withDatabaseName(await startServer(folder, quietContext()), 'postgres')
  let address = await start()
  const ask = <T>(work: (sql: Sql) => Promise<T>) => withDatabase(address, quietContext(), ({ sql }) => work(sql))
  const alter = (settings: Readonly<Record<string, number | string>>) =>
    ask(async (sql) => {
      for (const [name, value] of Object.entries(settings)) await sql.unsafe(`alter system set ${name} = ${value}`)
      await sql`select pg_reload_conf()`
    })
  await alter({ fsync: 'off', synchronous_commit: 'off' })
  return {
    get address() {
      return address
    },
    ask,
    restartWith: async (settings) => {
      await alter(settings)
      await stopServer(folder)
      address = await start()
    },
    pid: async () => (await serverStatus(folder)).pid ?? -1,
    backAgain: async (pid) => {
      await vi.waitFor(async () => {
        if ((await serverStatus(folder)).pid === pid) throw new Error('the server is still there')
      }, 20_000)
      address = await start()
    },
    close: async () => {
      await resetServer(folder, quietContext())
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A database on `server`, made empty and filled by `script`; dropped when the test is over. */
export async function ownDatabase(server: OwnServer, name: string, script = ''): Promise<ServerAddress> {
  await server.ask((sql) => sql.unsafe(`create database ${name}`))
  onTestFinished(async () => {
    await server.ask((sql) => sql.unsafe(`drop database if exists ${name} with (force)`))
  })
  const address = withDatabaseName(server.address, name)
  await withDatabase(address, quietContext(), ({ sql }) => sql.unsafe(script))
  return address
}
