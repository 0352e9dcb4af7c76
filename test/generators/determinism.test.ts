import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contents, seedSmall, templates } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases.drop())

describe('two databases', () => {
  it('that get the same seed hold the same to the byte, ids and times of creation included', async () => {
    const [one, other] = [await databases.migrated(), await databases.migrated()]
    const results = [await seedSmall(one), await seedSmall(other)]
    expect(await contents(other.sql)).toEqual(await contents(one.sql))
    const [first, second] = results.map(({ duration_ms, load_ms, rows_per_second, ...rest }) => rest)
    expect(second).toEqual(first)
  })

  it('that get another seed differ in every table that a seed decides', async () => {
    const [one, other] = [await databases.migrated(), await databases.migrated()]
    await seedSmall(one, { scale: 0.01, days: 2 })
    await seedSmall(other, { scale: 0.01, days: 2, seed: 43 })
    const [first, second] = [await contents(one.sql), await contents(other.sql)]
    for (const table of ['traces', 'evaluations', 'agents', 'users', 'traces_hourly', 'traces_daily']) {
      expect(second[table], table).not.toBe(first[table])
    }
  })
})

it('gives the same rows whatever the time zone and style of dates of the database', async () => {
  const [plain, exotic] = [await databases.migrated(), await databases.migrated()]
  const { database } = exotic.address
  await exotic.sql.unsafe(`alter database ${database} set timezone to 'Pacific/Kiritimati'`)
  await exotic.sql.unsafe(`alter database ${database} set datestyle to 'SQL, DMY'`)
  const options = { scale: 0.01, days: 3 }
  await seedSmall(plain, options)
  await seedSmall(exotic, options)
  const hash = `select md5(string_agg(md5((extract(epoch from timestamp), trace_id, cost_usd, metadata)::text), '' order by id)) as hash from traces`
  expect(await exotic.sql.unsafe(hash)).toEqual(await plain.sql.unsafe(hash))
})
