import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { ServerAddress } from '../../src/database/address.js'

/** Which idle server connection the next transaction is given. */
export type Choice = 'last used' | 'in turn'

/**
 * A pooler in transaction mode in front of a server: every client connection opens one
 * server connection and puts it into a common pool, and each transaction runs on
 * whichever is idle. Real SQL, real backends; only the sessions are not what they seem.
 *
 * @returns the address to connect to; it is closed when the test is over.
 */
export async function transactionPooler(address: ServerAddress, choice: Choice): Promise<ServerAddress> {
  const pool = new Pool(choice)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const backend = connect(address.port, address.host)
    for (const socket of [client, backend]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    new Client(client, new Backend(backend), pool)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the pooler listens on no port')
  return { ...address, host: '127.0.0.1', port: bound.port, sslMode: 'disable', source: 'the pooler' }
}

/** Idle server connections, and the clients that wait for one. */
class Pool {
  readonly #idle: Backend[] = []
  readonly #waiting: ((backend: Backend) => void)[] = []

  constructor(readonly choice: Choice) {}

  take(use: (backend: Backend) => void): void {
    const backend = this.choice === 'last used' ? this.#idle.pop() : this.#idle.shift()
    if (backend) use(backend)
    else this.#waiting.push(use)
  }

  give(backend: Backend): void {
    const next = this.#waiting.shift()
    if (next) next(backend)
    else this.#idle.push(backend)
  }
}

class Backend {
  client: Client | undefined

  constructor(readonly socket: Socket) {
    const messages = new Messages(false)
    socket.on('data', (chunk: Buffer) => {
      const client = this.client
      client?.socket.write(chunk)
      for (const { type, body } of messages.read(chunk)) if (type === 'Z') client?.ready(body.toString('latin1'))
    })
  }
}

/** One client; it has a backend from its first word to the end of a transaction. */
class Client {
  #backend: Backend | undefined
  #unsent: Buffer[] = []
  #owed = 1
  readonly #messages = new Messages(true)

  constructor(
    readonly socket: Socket,
    own: Backend,
    readonly pool: Pool,
  ) {
    this.#use(own)
    socket.on('data', (chunk: Buffer) => this.#said(chunk))
  }

  #said(chunk: Buffer): void {
    for (const { type } of this.#messages.read(chunk)) {
      if (type === 'X') return
      if (type === 'Q' || type === 'S') this.#owed++
    }
    this.#unsent.push(chunk)
    if (this.#backend) this.#flush()
    else if (this.#unsent.length === 1) this.pool.take((backend) => this.#use(backend))
  }

  #use(backend: Backend): void {
    this.#backend = backend
    backend.client = this
    this.#flush()
  }

  #flush(): void {
    for (const chunk of this.#unsent.splice(0)) this.#backend?.socket.write(chunk)
  }

  /** The server is done with one request; outside of a transaction the backend goes back. */
  ready(status: string): void {
    this.#owed--
    if (this.#owed > 0 || status !== 'I' || !this.#backend) return
    const backend = this.#backend
    this.#backend = undefined
    backend.client = undefined
    this.pool.give(backend)
  }
}

/** Cuts a stream into messages; https://www.postgresql.org/docs/current/protocol-message-formats.html */
class Messages {
  #rest = Buffer.alloc(0)

  /** The first message of a client has no type. */
  constructor(private untyped: boolean) {}

  *read(chunk: Buffer): Iterable<{ type: string; body: Buffer }> {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const head = this.untyped ? 0 : 1
      if (this.#rest.length < head + 4) return
      const end = head + this.#rest.readInt32BE(head)
      if (this.#rest.length < end) return
      const type = head === 1 ? this.#rest.toString('latin1', 0, 1) : ''
      yield { type, body: this.#rest.subarray(head + 4, end) }
      // A password is typed, but it answers nothing that a ReadyForQuery ends.
      this.untyped = false
      this.#rest = this.#rest.subarray(end)
    }
  }
}
