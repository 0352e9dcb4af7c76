import { describe, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { libraryPack } from '../../../src/generators/library/pack.js'
import { seedSchema } from '../../../src/generators/library/spec.js'
import { removeRun } from '../../../src/generators/remove-run.js'
import { seed } from '../../../src/generators/seed.js'
import { testDatabase } from '../../support/database.js'

const spec = seedSchema.parse({
  tables: {
    visits: {
      rows: { per: 'people', mean: 3 },
      columns: {
        person_id: { generator: 'parent', column: 'id' },
        nth: { generator: 'position' },
        at: { generator: 'timestamps' },
      },
    },
    people: { rows: 100, columns: { code: { generator: 'pattern', pattern: '[A-Z]{2}[0-9]{2}' } } },
  },
})

describe('a plan of a pack of its own', () => {
  it('is loaded, appended to and taken away run by run, and the next number of a sequence is free', async () => {
    const database = await testDatabase()
    const { sql } = database
    await sql.unsafe(`
      create table people (id serial primary key, code text not null unique);
      create table visits (person_id integer not null references people, nth integer not null, at timestamptz not null,
        primary key (person_id, nth));
      insert into people (code) values ('mine')`)
    const options = { generators: libraryPack('walks', spec), days: 5, asOf: new Date('2026-10-01T00:00:00Z') }
    const context = quietContext()
    const first = await seed(database, options, context)
    await expect(seed(database, options, context)).rejects.toMatchObject({ code: 'already_seeded' })
    const second = await seed(database, { ...options, mode: 'append' }, context)
    expect([first.tables['people']?.rows, second.tables['people']?.rows]).toEqual([100, 100])
    await sql`insert into people (code) values ('also mine')`
    const [counts] =
      await sql`select count(*) as people, count(distinct code) as codes, max(id) as greatest from people`
    expect(counts).toEqual({ people: 202, codes: 202, greatest: 202 })

    const removed = await removeRun(
      database,
      { generators: options.generators, schema: 'public', run: first.run_id },
      context,
    )
    expect(removed.removed).toMatchObject({ people: 100, visits: first.tables['visits']?.rows })
    const [left] = await sql`select (select count(*) from people) as people, (select count(*) from visits) as visits`
    expect(left).toEqual({ people: 102, visits: second.tables['visits']?.rows })
  })
})
