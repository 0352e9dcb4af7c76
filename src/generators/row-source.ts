import { createHash } from 'node:crypto'
import { CopyBuffer } from './copy-binary.js'
import type { FactTable, Stretch } from './pack.js'

/** Whole rows of a binary COPY, without its header and trailer; the bytes are valid until the next piece is asked for. */
export interface RowChunk {
  readonly bytes: Uint8Array
  readonly rows: number
}

/** What a stretch turned out to be. */
export interface Generated {
  readonly rows: number
  readonly bytes: number
  /** SHA-256 over the rows as they are in a binary COPY, hexadecimal. */
  readonly sha256: string
}

/** Which rows of which fact table. */
export interface Wanted {
  /** The fact table's place in the plan. */
  readonly fact: number
  readonly stretch: Stretch
  /** The number of the first row, when a column of the table is numbered. */
  readonly firstNumber?: number | undefined
}

/** Where rows are generated: in this thread or in others. */
export interface RowSource {
  /** The rows in order; what they were is told to `onEnd` behind the last. */
  rows(wanted: Wanted, onEnd: (generated: Generated) => void): AsyncIterable<RowChunk>
  close(): Promise<void>
}

/** Generates in this thread, a piece whenever one is asked for. */
export function localSource(facts: readonly FactTable[]): RowSource {
  return {
    async *rows(wanted, onEnd) {
      const fact = facts[wanted.fact]
      if (fact) yield* generate(fact, wanted, onEnd)
    },
    close: async () => undefined,
  }
}

/** Generates a stretch of a fact table and hashes it on the way. */
export function* generate(
  fact: FactTable,
  { stretch, firstNumber }: Wanted,
  onEnd: (generated: Generated) => void,
): Iterable<RowChunk> {
  const buffer = new CopyBuffer()
  const hash = createHash('sha256')
  if (firstNumber !== undefined) buffer.numberFrom(firstNumber)
  let rows = 0
  let bytes = 0
  for (const more of fact.encode(stretch, buffer)) {
    const { content } = buffer
    hash.update(content)
    rows += more
    bytes += content.length
    if (more > 0) yield { bytes: content, rows: more }
    buffer.clear()
  }
  onEnd({ rows, bytes, sha256: hash.digest('hex') })
}

/** How many rows a stretch has: told by the table, or found by generating them. */
export function countRows(fact: FactTable, stretch: Stretch): number {
  if (fact.countRows) return fact.countRows(stretch)
  if (fact.axis === 'rows') return stretch.to - stretch.from
  const buffer = new CopyBuffer()
  let rows = 0
  for (const more of fact.encode(stretch, buffer)) {
    rows += more
    buffer.clear()
  }
  return rows
}
