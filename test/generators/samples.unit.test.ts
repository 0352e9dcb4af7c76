import { describe, expect, it } from 'vitest'
import { Random, streamKey } from '../../src/generators/random.js'
import { conditionReader } from '../../src/generators/samples/conditions.js'
import type { Rules, SampleTable, SampleType } from '../../src/generators/samples/model.js'
import { joinRules } from '../../src/generators/samples/model.js'
import { fillOrder } from '../../src/generators/samples/order.js'
import { restrict } from '../../src/generators/samples/restrict.js'
import { type Flavour, sampleValue } from '../../src/generators/samples/values.js'

describe('a condition, as the server writes it', () => {
  it.each<[string, Record<string, Rules>]>([
    [
      `((score >= (0)::numeric) AND (score < (100)::numeric))`,
      { score: { min: { value: '0', inclusive: true }, max: { value: '100', inclusive: false } } },
    ],
    [
      `((status)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[]))`,
      { status: { oneOf: ['a', `it's`] } },
    ],
    [`(length((name)::text) > 2)`, { name: { minLength: 3 } }],
    [`(char_length(TRIM(BOTH FROM name)) <= 5)`, { name: { maxLength: 5 } }],
    [`((version)::text <> ''::text)`, { version: { noneOf: [''] } }],
    [`(VALUE > '-5'::integer)`, { value: { min: { value: '-5', inclusive: false } } }],
    [`((x IS NULL) OR (x < 3))`, { x: { max: { value: '3', inclusive: false } } }],
    [`(workspace_id = id)`, { workspace_id: { sameAs: 'id' } }],
    [`(until > since)`, { until: { above: 'since' } }],
    [`(0 < x)`, { x: { min: { value: '0', inclusive: false } } }],
    [`(name IS NOT NULL)`, { name: { notNull: true } }],
    [`((a > 1) OR (b > 1))`, {}],
    [`(NOT (a > 1))`, {}],
    [`(name ~ '^[A-Z]'::text)`, {}],
  ])('%s', async (condition, rules) => {
    expect((await conditionReader()).columnRules(condition)).toEqual(rules)
  })

  it.each<[string, readonly string[], Record<string, Rules>]>([
    [`FOR VALUES IN ('a', NULL, 0)`, ['k'], { k: { oneOf: ['a', '0'], notNull: true } }],
    [
      `FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (MAXVALUE)`,
      ['at'],
      { at: { min: { value: '2026-01-01 00:00:00+00', inclusive: true }, notNull: true } },
    ],
    [
      `FOR VALUES FROM (10, 5) TO (10, 9)`,
      ['a', 'b'],
      {
        a: { oneOf: ['10'], notNull: true },
        b: { min: { value: '5', inclusive: true }, max: { value: '9', inclusive: false }, notNull: true },
      },
    ],
    [`FOR VALUES WITH (modulus 2, remainder 0)`, ['h'], {}],
    ['DEFAULT', ['k'], {}],
  ])('of a partition: %s', async (bound, key, rules) => {
    expect((await conditionReader()).partitionRules(bound, key)).toEqual(rules)
  })

  it('adds up with another to the tighter of both', () => {
    const a: Rules = { min: { value: '2', inclusive: true }, oneOf: ['1', '2', '3'], minLength: 1 }
    const b: Rules = { min: { value: '10', inclusive: true }, oneOf: ['3', '4'], maxLength: 9, notNull: true }
    expect(joinRules(a, b)).toEqual({
      min: { value: '10', inclusive: true },
      oneOf: ['3'],
      minLength: 1,
      maxLength: 9,
      notNull: true,
    })
  })
})

const base = (name: string, modifier = -1): SampleType => ({ kind: 'base', name, modifier })

function values(type: SampleType, rules: Rules = {}, count = 200): readonly string[] {
  const random = new Random()
  const flavours: readonly Flavour[] = ['ordinary', 'edge', 'plain']
  return Array.from({ length: count }, (_, i) => {
    random.seat(streamKey('test'), i)
    return sampleValue(type, rules, { random, flavour: flavours[i % 3] ?? 'plain' }) ?? ''
  })
}

describe('a value', () => {
  it.each<[string, SampleType, Rules, (value: string) => boolean]>([
    [
      'a number within bounds',
      base('int4'),
      { min: { value: '-2', inclusive: true }, max: { value: '3', inclusive: false } },
      (v) => /^(-[12]|[012])$/.test(v),
    ],
    ['a number above a bound only', base('int2'), { min: { value: '32766', inclusive: false } }, (v) => v === '32767'],
    [
      'numeric(4,2)',
      base('numeric', ((4 << 16) | 2) + 4),
      { min: { value: '0', inclusive: false } },
      (v) => /^\d{1,2}\.\d\d$/.test(v) && Number(v) > 0,
    ],
    [
      'numeric(2,-3)',
      base('numeric', ((2 << 16) | (-3 & 0x7ff)) + 4),
      { min: { value: '0', inclusive: true } },
      (v) => Number(v) % 1000 === 0 && Number(v) <= 99_000,
    ],
    ['varchar(3)', base('varchar', 7), {}, (v) => [...v].length <= 3],
    [
      'a text of some length',
      base('text'),
      { minLength: 4, maxLength: 6 },
      (v) => [...v].length >= 4 && [...v].length <= 6,
    ],
    [
      'a day of a month',
      base('date'),
      { min: { value: '2026-02-01', inclusive: true }, max: { value: '2026-03-01', inclusive: false } },
      (v) => v >= '2026-02-01' && v < '2026-03-01',
    ],
    [
      'a time of a partition',
      base('timestamptz'),
      {
        min: { value: '2026-01-01 00:00:00+00', inclusive: true },
        max: { value: '2026-01-01 00:00:01+00', inclusive: false },
      },
      (v) => v.startsWith('2026-01-01 00:00:00'),
    ],
    ['one of a list', base('text'), { oneOf: ['a', 'b'], noneOf: ['b'] }, (v) => v === 'a'],
    ['a vector of three', base('vector', 3), {}, (v) => /^\[\d,\d,\d\]$/.test(v)],
  ])('%s', (_, type, rules, holds) => {
    expect(values(type, rules).filter((value) => !holds(value))).toEqual([])
  })

  it('is unknown for a type that nobody has heard of', () => {
    const draw = { random: new Random().seat(streamKey('t'), 1), flavour: 'ordinary' } as const
    expect(sampleValue(base('frobnicate'), {}, draw)).toBeUndefined()
    expect(
      sampleValue({ kind: 'array', element: base('frobnicate'), elementOid: 0, delimiter: ',' }, {}, draw),
    ).toBeUndefined()
  })
})

function table(
  path: string,
  parents: Readonly<Record<string, { notNull?: boolean; deferrable?: boolean }>>,
): SampleTable {
  const columns = Object.entries(parents).map(([name, { notNull = true }], number) => ({
    number,
    name,
    ...plainColumn,
    type: base('int4'),
    notNull,
  }))
  const foreignKeys = Object.entries(parents).map(([parent, { deferrable = false }]) => ({
    name: parent,
    columns: [parent],
    parent,
    parentColumns: ['id'],
    deferrable,
  }))
  return { path, schema: 's', name: path, columns, foreignKeys, ...unkeyed }
}

const unkeyed = { generated: [], uniques: [], looseUniques: [], checks: [], exclusions: [] }
const plainColumn = { typeName: '', hasDefault: false, comment: undefined, source: 'given' as const, rules: {} }

const order = (...tables: SampleTable[]) =>
  fillOrder(tables).map((batch) => batch.tables.map((one) => one.path).join('+'))

describe('the order of filling', () => {
  it('puts parents first, and leaves nullable circles to null', () => {
    expect(order(table('c', { b: {} }), table('b', { a: {} }), table('a', {}))).toEqual(['a', 'b', 'c'])
    expect(order(table('a', { b: {} }), table('b', { a: { notNull: false } }))).toEqual(['b', 'a'])
    expect(order(table('a', { a: {} }), table('b', { gone: {} }))).toEqual(['a', 'b'])
  })

  it('enters a circle where it can be entered, with the values that are promised', () => {
    const tables = [table('a', { c: {} }), table('b', { a: { deferrable: true } }), table('c', { b: {} })]
    expect(order(...tables)).toEqual(['b+c+a'])
    expect(fillOrder(tables)[0]?.promised.map((key) => key.parent)).toEqual(['a'])
    expect(fillOrder([table('a', { b: {} }), table('b', { a: {} })])[0]).toMatchObject({ promised: [] })
  })
})

describe('a table that will become another', () => {
  const now: SampleTable = {
    ...table('t', {}),
    columns: [{ ...plainColumn, number: 1, name: 'x', type: base('text'), notNull: false }],
  }
  const later = (type: SampleType, more: Partial<SampleTable> = {}): SampleTable => ({
    ...now,
    columns: [{ ...plainColumn, number: 1, name: 'x', type, notNull: true, rules: { minLength: 2 } }],
    ...more,
  })

  it('takes what both take', () => {
    expect(restrict(now, later(base('int4')), new Set()).columns[0]).toMatchObject({
      type: { name: 'int4' },
      notNull: true,
      rules: { minLength: 2 },
    })
    expect(restrict(later(base('varchar', 9)), now, new Set()).columns[0]?.type).toEqual(base('varchar', 9))
    expect(
      restrict({ ...now, columns: later(base('int4')).columns }, later(base('int8')), new Set()).columns[0]?.type,
    ).toEqual(base('int4'))
  })

  it('obeys keys that will come where it can', () => {
    const key = { name: 'k', columns: ['x'], parent: 'p', parentColumns: ['id'], deferrable: false }
    const then = later(base('text'), { foreignKeys: [key, { ...key, columns: ['new'] }], uniques: [['x'], ['new']] })
    expect(restrict(now, then, new Set(['p']))).toMatchObject({
      foreignKeys: [{ ...key, future: true }],
      uniques: [['x']],
    })
    expect(restrict(now, then, new Set()).foreignKeys).toEqual([])
  })
})
