import { ObsError } from '../errors.js'

/** A `COPY … FROM stdin` of a script that pg_restore writes, and the rows below it. */
export interface CopyBlock {
  readonly statement: string
  /** To be read to its end before the next block is asked for. */
  readonly rows: AsyncIterable<Uint8Array>
}

/**
 * The rows in a script of pg_restore, block after block, as they come; everything else in it is passed over.
 *
 * @throws ObsError `cannot_read_archive` when the script ends inside of a block, or is in another encoding than UTF-8.
 */
export async function* copyBlocks(script: AsyncIterable<Uint8Array>): AsyncGenerator<CopyBlock> {
  const reader = new ScriptReader(script[Symbol.asyncIterator]())
  for (let statement = await reader.nextCopy(); statement !== undefined; statement = await reader.nextCopy()) {
    yield { statement, rows: reader.rows() }
  }
}

/** A line with `\.` alone ends the rows; what a value holds is escaped, so no row looks like it. */
const endOfRows = '\n\\.\n'

class ScriptReader {
  readonly #source: AsyncIterator<Uint8Array>
  #pending: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source
  }

  async nextCopy(): Promise<string | undefined> {
    for (let line = await this.#line(); line !== undefined; line = await this.#line()) {
      const [, encoding = 'UTF8'] = /^SET client_encoding = '(.*)';$/.exec(line) ?? []
      if (encoding !== 'UTF8') throw unreadable(`its rows are in the encoding ${encoding}`)
      if (line.startsWith('COPY ')) return this.#statement(line)
    }
    return undefined
  }

  async *rows(): AsyncGenerator<Uint8Array> {
    // The line above the first row ends like one of them.
    this.#pending = Buffer.concat([Buffer.from('\n'), this.#pending])
    let from = 1
    for (;;) {
      const end = this.#pending.indexOf(endOfRows)
      if (end !== -1) {
        if (end + 1 > from) yield this.#pending.subarray(from, end + 1)
        this.#pending = this.#pending.subarray(end + endOfRows.length)
        return
      }
      const known = this.#pending.length - (endOfRows.length - 1)
      if (known > from) {
        yield this.#pending.subarray(from, known)
        this.#pending = this.#pending.subarray(known)
        from = 0
      }
      if (!(await this.#more())) throw unreadable('it ends among the rows of a table')
    }
  }

  /** A name may hold line breaks: a statement ends where its quotes are closed. */
  async #statement(start: string): Promise<string> {
    let statement = start
    while (!(statement.endsWith(' FROM stdin;') && statement.split('"').length % 2 === 1)) {
      const line = await this.#line()
      if (line === undefined) throw unreadable('it ends in a statement')
      statement += `\n${line}`
    }
    return statement
  }

  async #line(): Promise<string | undefined> {
    let end = this.#pending.indexOf('\n')
    while (end === -1) {
      if (!(await this.#more())) return undefined
      end = this.#pending.indexOf('\n')
    }
    const line = this.#pending.toString('utf8', 0, end)
    this.#pending = this.#pending.subarray(end + 1)
    return line
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#source.next()
    if (done) return false
    this.#pending = this.#pending.length === 0 ? Buffer.from(value) : Buffer.concat([this.#pending, value])
    return true
  }
}

function unreadable(problem: string): ObsError {
  return new ObsError(`rows alone cannot be taken from this archive of pg_dump: ${problem}`, {
    code: 'cannot_read_archive',
    hint: 'Restore all of it into a new database and copy from there; nothing was changed.',
    details: { problem },
  })
}
