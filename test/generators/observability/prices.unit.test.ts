import fc from 'fast-check'
import { expect, it } from 'vitest'
import { costMicros, pricesPerThousand, priceTable } from '../../../src/generators/observability/prices.js'

it('rounds a cost to the millionth as exact arithmetic does, a half upward', () => {
  const tokens = fc.integer({ min: 0, max: 10_000_000 })
  fc.assert(
    fc.property(fc.constantFrom(...priceTable.models), tokens, tokens, tokens, (model, fresh, cached, output) => {
      const { inputMicros, cachedMicros = inputMicros, outputMicros } = model
      const parts = [fresh * inputMicros, cached * cachedMicros, output * outputMicros].map(BigInt)
      const thousandths = parts.reduce((sum, part) => sum + part)
      expect(BigInt(costMicros(model, fresh + cached, cached, output))).toBe((thousandths * 2n + 1000n) / 2000n)
    }),
  )
})

it('quotes every model once, in whole millionths, dearer for output than for input', () => {
  const { models } = priceTable
  expect(new Set(models.map(({ name }) => name)).size).toBe(models.length)
  for (const model of models) {
    expect(Number.isInteger(model.inputMicros) && Number.isInteger(model.outputMicros)).toBe(true)
    expect(model.outputMicros).toBeGreaterThan(model.inputMicros)
    expect(model.cachedMicros ?? 0).toBeLessThan(model.inputMicros)
    expect(Number.isInteger(model.cachedMicros ?? 0)).toBe(true)
  }
  expect(pricesPerThousand()['gpt-4o']).toEqual({ input: 0.0025, cached_input: 0.00125, output: 0.01 })
  expect(pricesPerThousand()['mistral-large']).toEqual({ input: 0.002, cached_input: 0.002, output: 0.006 })
})
