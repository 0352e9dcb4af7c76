import { afterAll, beforeAll, expect, it } from 'vitest'
import { seedSmall, small, templates } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases?.drop())

/** What landed, read back from the server, whatever its version: `npm run test:matrix` runs this on 15 to 18. */
it.each([1, 2, 4])(
  'lands the same bytes with %i workers, on every version of PostgreSQL',
  {
    timeout: 60_000,
  },
  async (workers) => {
    const database = await databases.migrated()
    const { proof } = await seedSmall(database, { ...small, workers, spans: true })
    const hashes = Object.entries(proof.tables).map(([table, { rows, sha256 }]) => [table, rows, sha256.slice(0, 16)])
    expect(hashes).toMatchInlineSnapshot(`
      [
        [
          "traces",
          673,
          "603a3bde3a505a5e",
        ],
        [
          "evaluations",
          66,
          "f05c5b5b9b1c6844",
        ],
        [
          "spans",
          5663,
          "c7c1867aeab0d56b",
        ],
      ]
    `)
  },
)
