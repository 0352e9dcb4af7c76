import { expect, it } from 'vitest'
import type { Session } from '../../src/database/connect.js'
import { withSession } from '../../src/database/session.js'
import { reserveNumbers } from '../../src/generators/numbering.js'
import type { FactTable } from '../../src/generators/pack.js'
import { testDatabase } from '../support/database.js'

const fact: FactTable = {
  table: 'toy',
  axis: 'rows',
  columns: [{ name: 'name', type: 'text' }],
  rows: 10,
  encode: () => [],
}

const ways = ['enable_nestloop', 'enable_hashjoin', 'enable_mergejoin', 'enable_indexscan']

/** Switches each way of joining and scanning on or off, by the bits of a number. */
async function planWith(session: Session, bits: number): Promise<void> {
  for (const [i, way] of ways.entries()) await session.unsafe(`set ${way} to ${((bits >> i) & 1) === 0}`)
}

it('reserves a block of numbers whatever plan the server chooses', async () => {
  const db = await testDatabase()
  await db.sql`create table toy (id bigint generated always as identity, name text not null)`
  await db.sql`insert into toy (name) select 'mine' from generate_series(1, 5)`
  await withSession(db.sql, async (session) => {
    for (let bits = 0; bits < 2 ** ways.length; bits++) {
      await planWith(session, bits)
      const numbering = await reserveNumbers(session, 'public', fact, () => 10)
      expect(numbering?.column, `plan ${bits.toString(2)}`).toBe('id')
    }
    const last = await reserveNumbers(session, 'public', fact, () => 10)
    const [next] = await session<{ id: string }[]>`insert into toy (name) values ('theirs') returning id`
    expect(Number(next?.id)).toBe((last?.first ?? Number.NaN) + 10)
  })
})
