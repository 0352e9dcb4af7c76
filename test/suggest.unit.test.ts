import { expect, it } from 'vitest'
import { nearest } from '../src/suggest.js'

it('finds the word that was meant', () => {
  expect(nearest('enginering', ['sales', 'engineering', 'finance'])).toBe('engineering')
  expect(nearest('migrtae', ['migrate', 'demo'])).toBe('migrate')
})

it('keeps silent when nothing is close', () => {
  expect(nearest('zebra', ['sales', 'engineering'])).toBeUndefined()
})
