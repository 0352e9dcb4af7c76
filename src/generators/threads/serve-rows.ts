import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Json, SeedPack } from '../pack.js'
import { idsFrom } from '../references.js'
import { generate, type RowChunk } from '../row-source.js'
import { ahead, type FromThread, type ThreadData, type ToThread } from './messages.js'

/**
 * Makes a module the thread of a pack: it builds the plan of the run anew and generates the
 * rows that it is asked for.
 *
 * @param pack the pack, or how it is made from what `SeedPack.thread` says it needs to know.
 */
export function serveRows(pack: SeedPack | ((data: Json) => Promise<SeedPack>)): void {
  const port = parentPort
  if (!port) throw new Error('rows are served to another thread')
  const { settings, prepared, ids, data } = workerData as ThreadData
  const facts = (async () => {
    const made = typeof pack === 'function' ? await pack(data) : pack
    const plan = made.plan(settings, prepared)
    await plan.references()
    return plan.facts(idsFrom(ids))
  })()
  facts.catch((error: unknown) => send(port, failure(error)))
  let current: Outflow | undefined
  port.on('message', (message: ToThread) => {
    if (message.kind === 'more') return current?.goOn(message.memory)
    if (message.kind === 'stop') {
      current = undefined
      return send(port, { kind: 'stopped' })
    }
    const { wanted } = message
    facts.then(
      (tables) => {
        const fact = tables[wanted.fact]
        if (!fact) throw new Error(`the plan has no fact table ${wanted.fact}`)
        current = new Outflow(port, (onEnd) => generate(fact, wanted, onEnd))
        current.goOn()
      },
      () => undefined,
    )
  })
}

type Generate = (onEnd: Parameters<typeof generate>[2]) => Iterable<RowChunk>

/** The rows of one stretch on their way to the other thread, a few pieces ahead of it. */
class Outflow {
  readonly #port: MessagePort
  readonly #rows: Iterator<RowChunk>
  readonly #memory: ArrayBuffer[] = []
  #waiting = 0

  constructor(port: MessagePort, rows: Generate) {
    this.#port = port
    this.#rows = rows((generated) => send(port, { kind: 'end', generated }))[Symbol.iterator]()
  }

  /** Generates until enough is on its way. @param memory of a piece that was taken. */
  goOn(memory?: ArrayBuffer): void {
    if (memory) {
      this.#memory.push(memory)
      this.#waiting--
    }
    try {
      while (this.#waiting < ahead && this.#next()) this.#waiting++
    } catch (error) {
      send(this.#port, failure(error))
    }
  }

  #next(): boolean {
    const { value, done } = this.#rows.next()
    if (done) return false
    const { bytes, rows } = value
    const memory = this.#memoryFor(bytes.length)
    new Uint8Array(memory).set(bytes)
    send(this.#port, { kind: 'rows', memory, length: bytes.length, rows })
    return true
  }

  #memoryFor(length: number): ArrayBuffer {
    const known = this.#memory.pop()
    return known && known.byteLength >= length ? known : new ArrayBuffer(Math.ceil(length * 1.1))
  }
}

function send(port: MessagePort, message: FromThread): void {
  port.postMessage(message, message.kind === 'rows' ? [message.memory] : [])
}

function failure(error: unknown): FromThread {
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error))
  return { kind: 'failed', message, stack }
}
