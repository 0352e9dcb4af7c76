import type { Session } from '../../database/connect.js'
import { type Filled, fillTables } from './fill.js'
import type { SampleTable } from './model.js'
import { readSampleTables, type TableRef } from './read-model.js'
import { restrict } from './restrict.js'

export interface SamplerSettings {
  /** Rows a table, 1 at least. */
  readonly rows: number
  readonly seed: number
  readonly signal: AbortSignal
}

/** Which tables to fill, and as of which version of the schema. */
export interface SampleRequest {
  readonly version: number
  readonly tables: readonly TableRef[]
  readonly style: 'mixed' | 'plain'
}

/** Fills tables of a schema that changes from version to version. */
export interface Sampler {
  /** Takes down what tables demand of their rows as of a version. */
  learn(session: Session, version: number, tables: readonly TableRef[]): Promise<void>
  /** Adds rows that the tables take now and, as far as it was learnt, in later versions. */
  fill(session: Session, request: SampleRequest): Promise<readonly Filled[]>
}

export function createSampler({ rows, seed, signal }: SamplerSettings): Sampler {
  const learnt: { readonly version: number; readonly table: SampleTable }[] = []
  return {
    async learn(session, version, tables) {
      for (const table of await readSampleTables(session, tables)) learnt.push({ version, table })
    },
    async fill(session, { version, tables, style }) {
      const now = await readSampleTables(session, tables)
      const present = new Set(await pathsOfTables(session))
      const later = learnt.filter((one) => one.version > version)
      const careful = now.map((table) =>
        later
          .filter((one) => one.table.path === table.path)
          .reduce((narrowed, one) => restrict(narrowed, one.table, present), table),
      )
      return fillTables(session, careful, { rows, seed, style, signal })
    },
  }
}

async function pathsOfTables(session: Session): Promise<readonly string[]> {
  const rows = await session<{ path: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as path
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p')`
  return rows.map((row) => row.path)
}
