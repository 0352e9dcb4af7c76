import { randomBytes } from 'node:crypto'
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import { quietContext } from '../../src/context.js'
import { parseDatabaseUrl, type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { type Database, withDatabase, withSession } from '../../src/database/connect.js'
import { loadCsv } from '../../src/database/load-csv.js'
import { type Execute, executeOn } from './pack.js'

/** A server with TimescaleDB: `execute` takes several statements, `load` a CSV with a header. */
export interface TimescaleServer {
  readonly execute: Execute
  load(table: string, columns: string, file: string): Promise<void>
  close(): Promise<void>
}

const image = 'timescale/timescaledb:2.23.0-pg17'

/**
 * A real TimescaleDB: the server that OBS_TEST_TIMESCALE_URL names, else one in a
 * container; or the reason why there is none.
 */
export async function openTimescale(): Promise<{ name: string; open: () => Promise<TimescaleServer> } | string> {
  const url = process.env['OBS_TEST_TIMESCALE_URL']
  if (url) {
    const address = parseDatabaseUrl(url, 'OBS_TEST_TIMESCALE_URL')
    return { name: 'of OBS_TEST_TIMESCALE_URL', open: () => openDatabase(address, async () => {}) }
  }
  const missing = await getContainerRuntimeClient().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  if (missing) return `OBS_TEST_TIMESCALE_URL is not set and no container engine answers (${missing})`
  return { name: `of ${image}`, open: openContainer }
}

async function openContainer(): Promise<TimescaleServer> {
  const container = await new GenericContainer(image)
    .withEnvironment({ POSTGRES_PASSWORD: 'test', TIMESCALEDB_TELEMETRY: 'off' })
    .withExposedPorts(5432)
    // The image starts the server twice: once to set it up, once to stay.
    .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
    .start()
  const url = `postgres://postgres:test@${container.getHost()}:${container.getMappedPort(5432)}/postgres`
  return openDatabase(parseDatabaseUrl(url, 'the container'), async () => {
    await container.stop()
  })
}

/** A database of its own on the server, held open by one session until it is closed. */
async function openDatabase(address: ServerAddress, stop: () => Promise<void>): Promise<TimescaleServer> {
  const name = `obs_test_${randomBytes(6).toString('hex')}`
  await onDatabase(address, ({ sql }) => sql.unsafe(`create database ${name} template template0`))
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const { promise, resolve, reject } = withResolvers<TimescaleServer>()
  const over = onDatabase(withDatabaseName(address, name), ({ sql }) =>
    withSession(sql, async (session) => {
      await session.unsafe('create extension if not exists timescaledb')
      resolve({
        execute: executeOn(session),
        load: async (table, columns, file) => {
          await loadCsv(session, { schema: 'pg_temp', table, columns: columns.split(/,\s*/) }, file, quietContext())
        },
        close: async () => {
          release()
          await over
          await onDatabase(address, (server) => server.sql.unsafe(`drop database ${name} with (force)`))
          await stop()
        },
      })
      await released
    }),
  )
  over.catch(reject)
  return promise
}

function onDatabase<T>(address: ServerAddress, work: (database: Database) => Promise<T>): Promise<T> {
  return withDatabase(address, quietContext(), work, { connections: 1 })
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((accept, refuse) => {
    resolve = accept
    reject = refuse
  })
  return { promise, resolve, reject }
}
