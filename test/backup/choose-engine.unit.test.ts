import { describe, expect, it } from 'vitest'
import { chooseEngine, type EngineFacts } from '../../src/backup/choose-engine.js'
import { exitCodes } from '../../src/errors.js'

const facts: EngineFacts = {
  wanted: undefined,
  native: { name: 'pg_dump', path: 'pg_dump', version: '18.1', major: 18 },
  nativeSource: 'the PATH',
  serverMajor: 18,
  extensions: { plpgsql: '1.0' },
}
const old = { name: 'pg_dump' as const, path: 'pg_dump', version: '15.18', major: 15 }

describe('chooseEngine', () => {
  it('takes a pg_dump that is as new as the server', () => {
    expect(chooseEngine(facts)).toEqual({ engine: 'native', reason: 'pg_dump 18.1 can dump PostgreSQL 18' })
  })

  it('falls back to the built-in engine when pg_dump is older, and says so', () => {
    expect(chooseEngine({ ...facts, native: old })).toEqual({
      engine: 'built-in',
      reason: 'pg_dump 15.18 is older than the server, PostgreSQL 18',
    })
  })

  it('falls back to the built-in engine without a pg_dump', () => {
    expect(chooseEngine({ ...facts, native: undefined })).toEqual({
      engine: 'built-in',
      reason: 'there is no pg_dump on the PATH',
    })
  })

  it('falls back to the built-in engine when the archive could not be restored into the same server', () => {
    const older = { ...facts, serverMajor: 15 }
    expect(chooseEngine(older)).toMatchObject({
      engine: 'built-in',
      reason: expect.stringMatching(/cannot restore into PostgreSQL 15, which has no transaction_timeout$/),
    })
    expect(() => chooseEngine({ ...older, wanted: 'native' })).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^Install pg_dump 15 or 16, /) }),
    )
    expect(chooseEngine({ ...older, native: old })).toMatchObject({ engine: 'native' })
  })

  it('obeys a demand for the built-in engine', () => {
    expect(chooseEngine({ ...facts, wanted: 'built-in' })).toMatchObject({ engine: 'built-in' })
  })

  it('names both versions when the demanded pg_dump is too old', () => {
    expect(() => chooseEngine({ ...facts, wanted: 'native', native: old })).toThrow(
      expect.objectContaining({
        code: 'engine_unavailable',
        exitCode: exitCodes.usage,
        message: '--engine native: pg_dump 15.18 is older than the server, PostgreSQL 18',
        hint: 'Install pg_dump 18 or newer, or name one with --pg-dump, or leave out --engine; nothing was written.',
      }),
    )
  })

  it('refuses TimescaleDB without a pg_dump that is new enough', () => {
    const timescale = { ...facts, native: old, extensions: { timescaledb: '2.23.0' } }
    expect(() => chooseEngine(timescale)).toThrow(/inner tables of TimescaleDB/)
    expect(() => chooseEngine({ ...timescale, wanted: 'built-in' })).toThrow(/inner tables of TimescaleDB/)
    expect(chooseEngine({ ...timescale, native: facts.native })).toMatchObject({ engine: 'native' })
  })

  it('says when the server is newer than the built-in engine', () => {
    expect(() => chooseEngine({ ...facts, serverMajor: 19 })).toThrow(
      expect.objectContaining({
        message:
          'no engine can back this database up: pg_dump 18.1 is older than the server, PostgreSQL 19, ' +
          'and the built-in engine dumps servers up to PostgreSQL 18, and this is 19',
        hint: 'Install pg_dump 19 or newer, or name one with --pg-dump; nothing was written.',
      }),
    )
  })
})
