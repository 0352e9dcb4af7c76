import { expect, it } from 'vitest'
import { makeTexts } from '../../../src/generators/observability/prompts.js'

it('gives a run its own texts, whoever else draws at the same time', async () => {
  const alone = await makeTexts('a', 4)
  const [first, other] = await Promise.all([makeTexts('a', 4), makeTexts('b', 4)])
  expect(first).toEqual(alone)
  expect(other).not.toEqual(alone)
})
