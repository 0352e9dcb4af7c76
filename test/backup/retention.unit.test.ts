import { describe, expect, it } from 'vitest'
import type { BackupEntry } from '../../src/backup/list-backups.js'
import { planRetention, type RetentionPolicy } from '../../src/backup/retention.js'

const now = Date.parse('2026-11-22T12:00:00Z')
const day = 86_400_000

function backup(created_at: string, more: Partial<BackupEntry> = {}): BackupEntry {
  return {
    id: created_at,
    path: `/b/${created_at}`,
    state: 'complete',
    created_at,
    database: 'traces',
    engine: 'built-in',
    scope: 'full',
    encryption: 'none',
    proof: { level: 'hashed', at: created_at, by: 'create' },
    bytes: 1,
    rows: 1,
    migrations: {},
    problem: null,
    ...more,
  }
}

/** One at noon and one at midnight of each of the last `days` days. */
function history(days: number): BackupEntry[] {
  return Array.from({ length: days * 2 }, (_, half) =>
    backup(new Date(now - (half * day) / 2).toISOString().replace('.000', '')),
  )
}

function kept(backups: readonly BackupEntry[], policy: RetentionPolicy, needed = new Map<string, string>()): string[] {
  return planRetention(backups, policy, needed, now)
    .filter(({ keptBecause }) => keptBecause.length > 0)
    .map(({ backup }) => backup.id)
}

describe('planRetention', () => {
  it('keeps the newest ones', () => {
    expect(kept(history(5), { keepLast: 3 })).toEqual([
      '2026-11-22T12:00:00Z',
      '2026-11-22T00:00:00Z',
      '2026-11-21T12:00:00Z',
    ])
  })

  it('keeps the newest of each day', () => {
    expect(kept(history(5), { keepDaily: 3 })).toEqual([
      '2026-11-22T12:00:00Z',
      '2026-11-21T12:00:00Z',
      '2026-11-20T12:00:00Z',
    ])
  })

  it('counts days that have a backup, not days of the calendar', () => {
    const sparse = [backup('2026-11-22T01:00:00Z'), backup('2026-10-01T01:00:00Z'), backup('2026-09-01T01:00:00Z')]
    expect(kept(sparse, { keepDaily: 2 })).toEqual(['2026-11-22T01:00:00Z', '2026-10-01T01:00:00Z'])
  })

  it('keeps the newest of each week, which begins on Monday', () => {
    expect(kept(history(20), { keepWeekly: 3 })).toEqual([
      '2026-11-22T12:00:00Z',
      '2026-11-15T12:00:00Z',
      '2026-11-08T12:00:00Z',
    ])
  })

  it('removes only what is older than it should be', () => {
    expect(kept(history(4), { olderThan: 2 * day })).toHaveLength(5)
    expect(kept(history(4), { olderThan: 2 * day, keepLast: 1 })).toHaveLength(5)
  })

  it('never removes the newest, nor the newest that was restored, nor what is needed', () => {
    const old = [
      backup('2026-01-05T00:00:00Z'),
      backup('2026-01-04T00:00:00Z'),
      backup('2026-01-03T00:00:00Z', { proof: { level: 'restored', at: '2026-01-03T01:00:00Z', by: 'drill' } }),
      backup('2026-01-02T00:00:00Z', { proof: { level: 'restored', at: '2026-01-02T01:00:00Z', by: 'drill' } }),
      backup('2026-01-01T00:00:00Z'),
    ]
    const needed = new Map([['2026-01-01T00:00:00Z', 'the way back from pets 7']])
    expect(kept(old, { olderThan: day }, needed)).toEqual([
      '2026-01-05T00:00:00Z',
      '2026-01-03T00:00:00Z',
      '2026-01-01T00:00:00Z',
    ])
  })

  it('looks at each database by itself, and at backups of a part apart from those of everything', () => {
    const mixed = [
      backup('2026-11-22T05:00:00Z', { scope: 'tables' }),
      backup('2026-11-22T04:00:00Z', { scope: 'schema' }),
      backup('2026-11-22T03:00:00Z'),
      backup('2026-11-22T02:00:00Z'),
      backup('2026-11-22T01:00:00Z', { database: 'other' }),
    ]
    expect(kept(mixed, { keepLast: 1 }).sort()).toEqual([
      '2026-11-22T01:00:00Z',
      '2026-11-22T03:00:00Z',
      '2026-11-22T05:00:00Z',
    ])
  })

  it('has no opinion on what is not a whole backup', () => {
    const others = [
      backup('2026-01-01T00:00:00Z', { state: 'damaged' }),
      backup('2026-01-02T00:00:00Z', { state: 'writing' }),
    ]
    expect(planRetention(others, { keepLast: 1 }, new Map(), now)).toEqual([])
  })
})
