import { expect, it } from 'vitest'
import { printedAlike } from '../../src/schema/printed-alike.js'

it('takes an array that is cast as a whole for one whose elements are cast', () => {
  const before = "CHECK (((kind)::text = ANY ((ARRAY['a, b'::character varying, 'it''s'::character varying])::text[])))"
  const restored =
    "CHECK (((kind)::text = ANY (ARRAY[('a, b'::character varying)::text, ('it''s'::character varying)::text])))"
  expect(printedAlike(before)).toBe(restored)
  expect(printedAlike(restored)).toBe(restored)
})

it('leaves other definitions as they are', () => {
  const other = "CHECK (((kind)::text = ANY ((ARRAY['a'::text, 'b'::text])::text[])))"
  expect(printedAlike(other)).toBe(other)
  expect(printedAlike(null)).toBe(null)
})
