import { describe, expect, it } from 'vitest'
import { expectedColumns, fits } from '../../../src/validators/observability/expected-schema.js'

describe('a column type', () => {
  it.each([
    ['text', 'character varying(64)'],
    ['character varying', 'character varying(64)'],
    ['character varying(255)', 'character varying(64)'],
    ['bigint', 'integer'],
    ['numeric', 'numeric(10,6)'],
    ['numeric(14,8)', 'numeric(10,6)'],
    ['text[]', 'character varying(64)[]'],
    ['uuid', 'uuid'],
  ])('%s holds what %s holds', (found, expected) => {
    expect(fits(found, expected)).toBe(true)
  })

  it.each([
    ['character varying(32)', 'character varying(64)'],
    ['integer', 'bigint'],
    ['smallint', 'integer'],
    ['numeric(10,2)', 'numeric(10,6)'],
    ['numeric(8,6)', 'numeric(10,6)'],
    ['text', 'uuid'],
    ['character varying(64)', 'character varying(64)[]'],
    ['text[]', 'character varying(64)'],
    ['timestamp without time zone', 'timestamp with time zone'],
    ['double precision', 'numeric(10,6)'],
    ['json', 'jsonb'],
  ])('%s does not hold what %s holds', (found, expected) => {
    expect(fits(found, expected)).toBe(false)
  })
})

describe('the expected columns', () => {
  it('are read from their table without loss', () => {
    const traces = expectedColumns.filter(({ table }) => table === 'traces')
    expect(traces).toHaveLength(24)
    expect(traces[0]).toEqual({ table: 'traces', name: 'id', type: 'bigint', required: true })
    expect(traces.find(({ name }) => name === 'tags')).toEqual({
      table: 'traces',
      name: 'tags',
      type: 'character varying(64)[]',
      required: false,
    })
    for (const column of expectedColumns)
      expect(column).toMatchObject({ name: /^[a-z_]+$/.exec(column.name)?.[0], type: /.+/.exec(column.type)?.[0] })
  })
})
