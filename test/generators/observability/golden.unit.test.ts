import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { CopyBuffer } from '../../../src/generators/copy-binary.js'
import { idOf, planOf } from './history.js'

/** The hash of every row of a fact table, as it goes to the server. */
async function hashes(profile: string): Promise<Record<string, string>> {
  const plan = planOf({ profile, days: 5, scale: 0.02, spans: true })
  const result: Record<string, string> = {}
  for (const fact of await plan.facts(idOf)) {
    const hash = createHash('sha256')
    const buffer = new CopyBuffer()
    for (const _ of fact.encode(plan.window, buffer)) {
      hash.update(buffer.content)
      buffer.clear()
    }
    result[fact.table] = hash.digest('hex').slice(0, 16)
  }
  return result
}

// When these change, so do the rows that a seed stands for: say so in the changelog.
it('makes the rows it always made', async () => {
  expect(await hashes('demo')).toMatchInlineSnapshot(`
    {
      "evaluations": "ca055af6558afaab",
      "spans": "2fcc318916f688af",
      "traces": "af7c84e288c6cbc9",
    }
  `)
  expect(await hashes('phase1')).toMatchInlineSnapshot(`
    {
      "evaluations": "3c3b4ccfca3541c9",
      "spans": "f375ab0d937327cb",
      "traces": "3dd5efa5b985f9ec",
    }
  `)
  expect(await hashes('load')).toMatchInlineSnapshot(`
    {
      "evaluations": "e8336ebd683facce",
      "spans": "b5255caaba43f8de",
      "traces": "5a535868e7d4c210",
    }
  `)
  expect(await hashes('multi-tenant')).toMatchInlineSnapshot(`
    {
      "evaluations": "a07f5a2d42a4822a",
      "spans": "0dc4af09898cb278",
      "traces": "7ffaeba8b1fa3b94",
    }
  `)
})
