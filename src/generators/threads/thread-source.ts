import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Generated, RowChunk, RowSource, Wanted } from '../row-source.js'
import type { FromThread, ThreadData, ToThread } from './messages.js'

/**
 * Generates in threads of their own, as many streams at once as there are threads.
 *
 * The memory of a piece travels to and fro between the threads, and a thread is never more
 * than a few pieces ahead of whoever takes them.
 */
export function threadSource(file: URL, threads: number, data: ThreadData): RowSource {
  const free: Thread[] = Array.from({ length: threads }, () => new Thread(file, data))
  const all = [...free]
  const waiting: ((thread: Thread) => void)[] = []
  const borrow = async () => free.pop() ?? (await new Promise<Thread>((resolve) => waiting.push(resolve)))
  const giveBack = (thread: Thread) => {
    const next = waiting.shift()
    next ? next(thread) : free.push(thread)
  }
  return {
    async *rows(wanted, onEnd) {
      const thread = await borrow()
      try {
        yield* thread.rows(wanted, onEnd)
      } finally {
        giveBack(thread)
      }
    },
    close: async () => {
      await Promise.all(all.map((thread) => thread.close()))
    },
  }
}

/** One thread, which makes one stream at a time. */
class Thread {
  readonly #worker: Worker
  readonly #messages: FromThread[] = []
  #heard: (() => void) | undefined
  #failure: Error | undefined

  constructor(file: URL, data: ThreadData) {
    // Run from source (as tests do), a thread needs a loader for TypeScript.
    const execArgv = extname(fileURLToPath(file)) === '.ts' ? ['--import', 'jiti/register'] : []
    this.#worker = new Worker(file, { workerData: data, execArgv })
    this.#worker.on('message', (message: FromThread) => {
      this.#messages.push(message)
      this.#heard?.()
    })
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(new Error('a thread that generates rows ended before it was done')))
  }

  async *rows(wanted: Wanted, onEnd: (generated: Generated) => void): AsyncIterable<RowChunk> {
    this.#tell({ kind: 'start', wanted })
    let over = false
    try {
      for (;;) {
        const message = await this.#next()
        if (message.kind === 'rows') {
          yield { bytes: new Uint8Array(message.memory, 0, message.length), rows: message.rows }
          this.#tell({ kind: 'more', memory: message.memory })
          continue
        }
        over = true
        if (message.kind === 'failed') throw Object.assign(new Error(message.message), { stack: message.stack })
        if (message.kind === 'end') onEnd(message.generated)
        return
      }
    } finally {
      if (!over) await this.#leaveOff()
    }
  }

  async close(): Promise<void> {
    this.#failure ??= new Error('the threads that generate rows were closed')
    this.#heard?.()
    await this.#worker.terminate()
  }

  /** What was on its way is for nobody any more. */
  async #leaveOff(): Promise<void> {
    if (this.#failure) return
    this.#tell({ kind: 'stop' })
    while (!this.#failure && (await this.#next()).kind !== 'stopped');
  }

  async #next(): Promise<FromThread> {
    for (;;) {
      const message = this.#messages.shift()
      if (message) return message
      if (this.#failure) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
      this.#heard = undefined
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#heard?.()
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message, message.kind === 'more' ? [message.memory] : [])
  }
}
