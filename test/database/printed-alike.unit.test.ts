import { expect, it } from 'vitest'
import { printedAlike } from '../../src/database/printed-alike.js'

it('takes an array that is cast as a whole for one whose elements are cast', () => {
  const before =
    "CHECK (((kind)::text = ANY ((ARRAY['a, b'::character varying, 'it''s])'::character varying])::text[])))"
  const restored =
    "CHECK (((kind)::text = ANY (ARRAY[('a, b'::character varying)::text, ('it''s])'::character varying)::text])))"
  expect(printedAlike(before)).toBe(restored)
  expect(printedAlike(restored)).toBe(restored)
})

it('does so with every array of a definition, of whatever type and elements', () => {
  const before =
    '((a = ANY ((ARRAY["b,]", f(c, d[1]), NULL::integer])::numeric[])) OR (e = ANY ((ARRAY[\'x\'::date])::timestamp without time zone[])))'
  const restored =
    '((a = ANY (ARRAY[("b,]")::numeric, (f(c, d[1]))::numeric, (NULL::integer)::numeric])) OR (e = ANY (ARRAY[(\'x\'::date)::timestamp without time zone])))'
  expect(printedAlike(before)).toBe(restored)
  expect(printedAlike(restored)).toBe(restored)
})

it.each(['AND', 'OR'])('takes expressions joined by %s inside of brackets for those without', (joint) => {
  const deep = `CHECK ((((a <> b) ${joint} c) ${joint} (d > ' ${joint} (')) ${joint} e)`
  const twice = `WHERE ((${deep}) ${joint} f)`
  const flat = `CHECK ((a <> b) ${joint} c ${joint} (d > ' ${joint} (') ${joint} e)`
  expect(printedAlike(deep)).toBe(flat)
  expect(printedAlike(flat)).toBe(flat)
  expect(printedAlike(`${deep} and ${twice}`)).toBe(`${flat} and WHERE ((${flat}) ${joint} f)`)
})

it.each([
  ["(kind = ANY (ARRAY['a'::text, 'b'::text]))"],
  ['(a = ANY ((ARRAY[ARRAY[1, 2], ARRAY[3, 4]])::numeric[]))'],
  ['((a OR b) AND c)'],
  ['(a AND (b AND c))'],
  ["((a = ' AND ') AND b)"],
  ["raise 'an (ARRAY[ that does not end'; -- it's a comment"],
  [null],
  [undefined],
])('leaves %s as it is', (definition) => {
  expect(printedAlike(definition)).toBe(definition)
})
