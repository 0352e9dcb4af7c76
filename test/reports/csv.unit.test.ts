import { expect, it } from 'vitest'
import { renderCsv } from '../../src/reports/csv.js'

it('ends every line in CRLF and leaves null empty', () => {
  expect(
    renderCsv(
      ['a', 'b'],
      [
        [1, null],
        ['x', true],
      ],
    ),
  ).toBe('a,b\r\n1,\r\nx,true\r\n')
})

it('quotes what would break a line', () => {
  expect(renderCsv(['a'], [['x,y'], ['say "hi"'], ['two\nlines']])).toBe(
    'a\r\n"x,y"\r\n"say ""hi"""\r\n"two\nlines"\r\n',
  )
})

it.each(['=1+1', '+1', '-1', '@sum(a1)', '\tx', '\r=x'])('disarms the formula %j', (text) => {
  expect(
    renderCsv(['a'], [[text]])
      .split('\n')
      .slice(1)
      .join('\n'),
  ).toMatch(/^"?'/)
})

it('leaves negative numbers alone', () => {
  expect(renderCsv(['a'], [[-1.5]])).toBe('a\r\n-1.5\r\n')
})
