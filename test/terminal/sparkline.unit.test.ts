import { expect, it } from 'vitest'
import { bar, sparkline } from '../../src/terminal/sparkline.js'

it('draws numbers from zero to the largest', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe('▁▂▃▄▅▆▇█')
  expect(sparkline([7, 0])).toBe('█▁')
})

it('draws a flat line of zeros and nothing of nothing', () => {
  expect(sparkline([0, 0, 0])).toBe('▁▁▁')
  expect(sparkline([])).toBe('')
})

it('averages neighbours when there are more numbers than room', () => {
  expect(sparkline([0, 0, 7, 7], 2)).toBe('▁█')
  expect(
    sparkline(
      Array.from({ length: 365 }, (_, day) => day),
      100,
    ),
  ).toHaveLength(100)
})

it('draws on a scale of its own choosing', () => {
  expect(sparkline([50, 100, 200], 3, 100)).toBe('▅██')
})

it('takes negative numbers for zero', () => {
  expect(sparkline([-5, 5])).toBe('▁█')
})

it('draws a bar in eighths of a character', () => {
  expect(bar(0.5, 8)).toBe('████')
  expect(bar(1 / 16, 8)).toBe('▌')
  expect(bar(2, 3)).toBe('███')
  expect(bar(-1, 3)).toBe('')
})
