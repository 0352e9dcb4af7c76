import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { withDatabase, withSession, withTransaction } from '../../src/database/connect.js'
import { testDatabase } from '../support/database.js'

it('fails the rollback of a session whose socket broke instead of waiting for its answer', async () => {
  const { address } = await testDatabase()
  const clients: Socket[] = []
  const proxy = createServer((client) => {
    clients.push(client)
    const server = connect(address.port, address.host)
    client.pipe(server).pipe(client)
    for (const end of [client, server]) end.on('error', () => [client, server].map((socket) => socket.destroy()))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  try {
    const run = withDatabase({ ...address, host: '127.0.0.1', port }, quietContext(), ({ sql }) =>
      withSession(sql, (session) =>
        withTransaction(session, async () => {
          setTimeout(() => clients.at(-1)?.resetAndDestroy(), 50)
          await session`select pg_sleep(20)`
        }),
      ),
    )
    await expect(run).rejects.toMatchObject({ exitCode: 3 })
  } finally {
    proxy.close()
  }
})
