import type { Session } from '../database/connect.js'
import type { TableProof } from './run-ledger.js'

/** A run as the ledger has it. */
export interface ListedRun {
  readonly run_id: string
  readonly state: 'finished' | 'unfinished'
  readonly pack: string
  readonly profile: string
  readonly seed: number
  readonly days: number
  readonly as_of: string
  readonly workspace_id: string
  readonly started_at: string
  readonly finished_at: string | null
  /** Rows by table: those that are in the database, or those that an unfinished run has loaded so far. */
  readonly rows: Readonly<Record<string, number>>
  /** What was proven of a finished run; null for runs of an earlier version, and unfinished ones. */
  readonly proof: Readonly<Record<string, TableProof>> | null
}

/** All runs, oldest first; a database without a ledger has none, and one of an earlier version has no proofs. */
export async function listRuns(session: Session): Promise<readonly ListedRun[]> {
  const [ledger] = await session<{ finished: boolean; unfinished: boolean; proof: boolean }[]>`
    select to_regclass('obs.seed_runs') is not null as finished, to_regclass('obs.seed_unfinished') is not null as unfinished,
           exists (select from pg_attribute where attrelid = to_regclass('obs.seed_runs') and attname = 'proof'
                   and not attisdropped) as proof`
  const finished = ledger?.finished
    ? await session<Row[]>`
        select run_id, 'finished' as state, pack, profile, seed, days, as_of, workspace_id, started_at, finished_at, rows,
               ${ledger.proof ? session`proof` : session`null::jsonb`} as proof
        from obs.seed_runs`
    : []
  const unfinished = ledger?.unfinished
    ? await session<Row[]>`
        select r.run_id, 'unfinished' as state, r.pack, r.settings->>'profile' as profile, (r.settings->>'seed')::int8 as seed,
               (r.settings->>'days')::int4 as days, (r.settings->>'asOf')::timestamptz as as_of, r.workspace_id,
               r.started_at, null::timestamptz as finished_at, null::jsonb as proof,
               coalesce((select jsonb_object_agg(table_name, rows)
                         from (select table_name, sum(rows) as rows from obs.seed_shards s
                               where s.run_id = r.run_id group by 1) t), '{}') as rows
        from obs.seed_unfinished r`
    : []
  return [...finished, ...unfinished]
    .sort((a, b) => a.started_at.getTime() - b.started_at.getTime() || (a.run_id < b.run_id ? -1 : 1))
    .map(({ as_of, started_at, finished_at, ...run }) => ({
      ...run,
      as_of: as_of.toISOString(),
      started_at: started_at.toISOString(),
      finished_at: finished_at?.toISOString() ?? null,
    }))
}

type Row = Omit<ListedRun, 'as_of' | 'started_at' | 'finished_at'> & {
  readonly as_of: Date
  readonly started_at: Date
  readonly finished_at: Date | null
}
