import type { Session } from '../../database/connect.js'
import { quoteLiteral } from '../../database/quote.js'
import { statementChecksum } from '../apply/step-run.js'
import { asIfFrom } from '../pieces/moved-error.js'
import type { PieceEnvironment } from '../pieces/piece.js'
import type { TableReceipt } from '../preservation/receipt.js'
import type { Statement } from '../statements/statements.js'
import { BackfillError } from './errors.js'
import type { Backfill } from './find-backfills.js'
import type { Range } from './key-sql.js'
import { walkTable } from './walk.js'
import { findWalkedTable, type WalkedTable } from './walked-table.js'

/** Runs a statement with the directive `backfill` batch by batch. */
export async function runBackfill(
  statement: Statement,
  backfill: Backfill,
  environment: PieceEnvironment,
): Promise<readonly TableReceipt[]> {
  const { session, run, step, number, context } = environment
  const { request } = backfill
  const table = await findWalkedTable(session, run.schema, request)
  if (typeof table === 'string') throw new BackfillError(table, notBegun)
  context.progress.step(`backfilling ${table.name} by ${request.key.join(', ')} for ${step.migration.id}`)
  const identity = {
    place: run.facts.place,
    version: step.migration.version,
    direction: step.direction,
    step: `statement ${number}`,
    statement: number,
  }
  const prepared = await prepare(session, statement, backfill, table)
  try {
    const walk = {
      ...environment,
      identity,
      table,
      batch: request.batch,
      pauseMs: request.pauseMs,
      checksum: statementChecksum(statement),
      preserve: run.preserve,
      changes: step.script.directives.changes,
      deletes: backfill.deletes,
      work: prepared.work,
    }
    const { receipt } = await walkTable(session, walk, context)
    return [receipt]
  } finally {
    await prepared.forget()
  }
}

/** What a person does about a table that cannot be walked through. */
export const notBegun = 'Mend the directive, or make the index first; no batch was begun.'

const names = { first: 'obs_backfill_first', next: 'obs_backfill_next' } as const

/**
 * Prepares the statement with parameters of the key's types, which its text alone does
 * not always tell: a `timestamptz` that is bound as something else loses microseconds.
 * https://www.postgresql.org/docs/current/sql-prepare.html
 */
async function prepare(session: Session, statement: Statement, { lowerOperators }: Backfill, table: WalkedTable) {
  const types = [...table.key, ...table.key].map((column) => column.type).join(', ')
  const forget = () => forgetPrepared(session)
  const texts = { next: statement.sql, first: withFirstRow(statement.sql, lowerOperators) }
  for (const which of ['next', 'first'] as const) {
    const head = `prepare ${names[which]} (${types}) as `
    await asIfFrom(head, () => session.unsafe(head + texts[which])).catch(async (error: unknown) => {
      await forget()
      throw error
    })
  }
  const work = async ({ after, fromFirst, upTo }: Range) => {
    const values = [...after, ...upTo].map(quoteLiteral).join(', ')
    const { count } = await session.unsafe(`execute ${fromFirst ? names.first : names.next} (${values})`)
    return count
  }
  return { work, forget }
}

async function forgetPrepared(session: Session): Promise<void> {
  for (const name of Object.values(names)) await session.unsafe(`deallocate ${name}`).catch(() => undefined)
}

/**
 * There is no key before the first, so the first batch begins with it: `>` becomes `>=`.
 *
 * @param places bytes of UTF-8 before each operator
 */
function withFirstRow(sql: string, places: readonly number[]): string {
  const bytes = Buffer.from(sql)
  const cuts = [...places].sort((a, b) => a - b).map((place) => place + 1)
  const parts = [0, ...cuts].map((from, i) => bytes.toString('utf8', from, cuts[i]))
  return parts.join('=')
}
