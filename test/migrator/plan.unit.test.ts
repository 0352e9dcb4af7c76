import { describe, expect, it } from 'vitest'
import { foldHistory, type HistoryEvent } from '../../src/migrator/history.js'
import type { Migration, Script } from '../../src/migrator/migration.js'
import { planDown, planUp, type Situation } from '../../src/migrator/plan.js'

const directives = { noTransaction: false, changes: [], drops: [], requires: [] }

function script(checksum: string, variant: Script['variant'] = null): Script {
  return { file: `/m/${checksum}`, text: '', checksum, variant, directives }
}

function migration(version: number, over: Partial<Migration> = {}): Migration {
  const name = `m${version}`
  return { version, name, id: `${version}_${name}`, up: [script(name)], down: [script('d')], verify: [], ...over }
}

function event(version: number, over: Partial<HistoryEvent> = {}): HistoryEvent {
  return {
    version,
    name: `m${version}`,
    direction: 'up',
    checksum: `m${version}`,
    variant: null,
    state: 'applied',
    in_transaction: true,
    started_at: new Date(0),
    finished_at: new Date(5),
    duration_ms: 5,
    statement: 1,
    error: null,
    backup_id: null,
    receipt: null,
    script: null,
    remark: null,
    ...over,
  }
}

function situation(migrations: readonly Migration[], events: readonly HistoryEvent[] = []): Situation {
  return { migrations, history: foldHistory(events), platform: 'postgres', folder: '/m' }
}

const three = [migration(1), migration(2), migration(3)]
const versions = (steps: readonly { migration: Migration }[]) => steps.map((step) => step.migration.version)

describe('the plan up', () => {
  it('holds what is not applied, up to the target', () => {
    expect(versions(planUp(situation(three, [event(1)])))).toEqual([2, 3])
    expect(versions(planUp(situation(three, [event(1)]), 2))).toEqual([2])
    expect(versions(planUp(situation(three, [event(1), event(2), event(3)])))).toEqual([])
  })

  it('holds again what was reverted', () => {
    const history = [event(1), event(2), event(2, { direction: 'down' })]
    expect(versions(planUp(situation(three, history)))).toEqual([2, 3])
  })

  it('takes a failure in a transaction as if nothing had happened', () => {
    expect(versions(planUp(situation(three, [event(1), event(2, { state: 'failed' })])))).toEqual([2, 3])
  })

  it('goes on at the statement where a migration outside a transaction failed', () => {
    const failed = event(1, { state: 'failed', in_transaction: false, statement: 3, receipt: { done: ['x', 'y'] } })
    expect(planUp(situation(three, [failed]))[0]).toMatchObject({ resumeAt: 3, doneStatements: ['x', 'y'] })
  })

  it('is refused while nobody knows what became of a statement', () => {
    const running = event(1, { state: 'running', in_transaction: false, statement: 2 })
    expect(() => planUp(situation(three, [running]))).toThrow(/statement 2/)
    const settled = event(1, { state: 'settled', in_transaction: false, statement: 2 })
    expect(planUp(situation(three, [running, settled]))[0]).toMatchObject({ resumeAt: 2 })
  })

  it('compares the form that was applied, whatever the platform is now', () => {
    const forms = migration(1, { up: [script('plain'), script('hyper', 'timescaledb')] })
    expect(versions(planUp(situation([forms], [event(1, { checksum: 'hyper', variant: 'timescaledb' })])))).toEqual([])
    expect(() => planUp(situation([forms], [event(1, { checksum: 'hyper' })]))).toThrow(/changed/)
  })

  it('names every changed, missing or late migration', () => {
    expect(() => planUp(situation([migration(3)], [event(1), event(2)]))).toThrow('1_m1 and 2_m2 are applied')
    expect(() => planUp(situation(three, [event(3)]))).toThrow('1_m1 and 2_m2 are older than 3_m3')
    expect(() => planUp(situation(three, [event(1, { checksum: 'other' })]))).toThrow('1_m1 changed')
  })

  it('says when a migration has no form for the platform', () => {
    const elsewhere = migration(1, { up: [script('hyper', 'timescaledb')] })
    expect(() => planUp(situation([elsewhere]))).toThrow('no form for postgres')
  })
})

describe('the plan down', () => {
  const history = [event(1), event(2), event(3)]

  it('goes newest first, by number or to a version', () => {
    expect(versions(planDown(situation(three, history), { steps: 2 }))).toEqual([3, 2])
    expect(versions(planDown(situation(three, history), { to: 1 }))).toEqual([3, 2])
    expect(versions(planDown(situation(three, history), { to: 0 }))).toEqual([3, 2, 1])
    expect(versions(planDown(situation(three, history), { to: 3 }))).toEqual([])
  })

  it('is refused for a target above, and for one that does not exist', () => {
    expect(() => planDown(situation(three, [event(1)]), { to: 2 })).toThrow('below 2')
    expect(() => planDown(situation(three, history), { to: 7 })).toThrow('no migration with version 7')
  })

  it('names every migration without a down', () => {
    const stuck = [migration(1, { down: [] }), migration(2, { down: [] }), migration(3)]
    expect(() => planDown(situation(stuck, history), { to: 0 })).toThrow('2_m2 and 1_m1 have no down file')
  })

  it('uses the down of the form that was applied', () => {
    const forms = migration(1, { down: [script('plain'), script('hyper', 'timescaledb')] })
    const applied = event(1, { variant: 'timescaledb' })
    expect(planDown(situation([forms], [applied]), { steps: 1 })[0]?.script.checksum).toBe('hyper')
    expect(planDown(situation([forms], [event(1)]), { steps: 1 })[0]?.script.checksum).toBe('plain')
  })
})
