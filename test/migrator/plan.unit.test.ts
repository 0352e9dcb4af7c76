import { describe, expect, it } from 'vitest'
import { foldHistory, type HistoryEvent } from '../../src/migrator/history/history.js'
import type { Migration, Script } from '../../src/migrator/migration.js'
import { planDown, planGoto, planOnce, planRedo, planUp, type Situation } from '../../src/migrator/plan/plan.js'

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
const path = (steps: readonly { migration: Migration; direction: string }[]) =>
  steps.map((step) => `${step.direction} ${step.migration.version}`)
const versions = (steps: readonly { migration: Migration }[]) => steps.map((step) => step.migration.version)

describe('the plan up', () => {
  it('holds what is not applied, up to the target', () => {
    expect(versions(planUp(situation(three, [event(1)])))).toEqual([2, 3])
    expect(versions(planUp(situation(three, [event(1)]), { to: 2 }))).toEqual([2])
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
    const running = event(1, { state: 'running', in_transaction: false, finished_at: null, statement: 2 })
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

describe('a history that is out of order', () => {
  const late = [event(1), event(3), event(2, { remark: 'out of order' })]

  it('comes about only where it is allowed, and then the history says so', () => {
    const steps = planUp(situation([...three, migration(4)], [event(1), event(3)]), { allowOutOfOrder: true })
    expect(steps.map((step) => [step.migration.version, step.remark])).toEqual([
      [2, 'out of order'],
      [4, null],
    ])
  })

  it('is reverted in the order of application, the last first', () => {
    expect(versions(planDown(situation(three, late), { steps: 1 }))).toEqual([2])
    expect(versions(planDown(situation(three, late), { steps: 2 }))).toEqual([2, 3])
    expect(versions(planDown(situation(three, late), { to: 1 }))).toEqual([2, 3])
    expect(versions(planDown(situation(three, late), { to: 0 }))).toEqual([2, 3, 1])
  })

  it('keeps what a later migration may rest on', () => {
    expect(() => planDown(situation(three, late), { to: 2 })).toThrow('2_m2 was applied out of order, after 3_m3')
  })

  it('is left behind by going to a version', () => {
    expect(path(planGoto(situation(three, late), 2))).toEqual(['down 2', 'down 3', 'up 2'])
    expect(path(planGoto(situation(three, late), 3))).toEqual([])
  })

  it('counts from the last application when a migration was applied again', () => {
    const again = [event(1), event(2), event(3), event(3, { direction: 'down' }), event(3)]
    expect(versions(planDown(situation(three, again), { steps: 2 }))).toEqual([3, 2])
    const swapped = [event(1), event(2), event(2, { direction: 'down' }), event(3), event(2)]
    expect(versions(planDown(situation(three, swapped), { steps: 2 }))).toEqual([2, 3])
  })

  it('does not hold up a late migration that stopped halfway', () => {
    const failed = event(2, { state: 'failed', in_transaction: false, statement: 3, receipt: { done: ['x', 'y'] } })
    const [step] = planUp(situation(three, [event(1), event(3), failed]))
    expect(step).toMatchObject({ resumeAt: 3, remark: 'out of order' })
  })
})

describe('the plan up by number', () => {
  it('takes the oldest pending ones, and refuses a late one among them', () => {
    expect(versions(planUp(situation(three), { steps: 2 }))).toEqual([1, 2])
    expect(versions(planUp(situation(three), { steps: 9 }))).toEqual([1, 2, 3])
    expect(() => planUp(situation(three, [event(2)]), { steps: 1 })).toThrow('1_m1 is older than 2_m2')
  })

  it('does not go further when another run took the step meanwhile', () => {
    const plan = planOnce((now) => planUp(now, { steps: 1 }))
    expect(versions(plan(situation(three)))).toEqual([1])
    expect(versions(plan(situation(three, [event(1)])))).toEqual([])
  })
})

describe('the plan to redo', () => {
  it('reverts the newest and applies them again, oldest first', () => {
    const history = [event(1), event(2), event(3)]
    expect(path(planRedo(situation(three, history), 1))).toEqual(['down 3', 'up 3'])
    expect(path(planRedo(situation(three, history), 2))).toEqual(['down 3', 'down 2', 'up 2', 'up 3'])
    expect(path(planRedo(situation(three, [event(1)]), 1))).toEqual(['down 1', 'up 1'])
    expect(planRedo(situation(three), 1)).toEqual([])
  })

  it('takes a changed file of what it redoes, and refuses one of what stays', () => {
    expect(path(planRedo(situation(three, [event(1), event(2, { checksum: 'old' })]), 1))).toEqual(['down 2', 'up 2'])
    expect(() => planRedo(situation(three, [event(1, { checksum: 'old' }), event(2)]), 1)).toThrow('1_m1 changed')
  })

  it('starts an application again that was half reverted', () => {
    const half = event(2, {
      direction: 'down',
      state: 'failed',
      in_transaction: false,
      statement: 2,
      receipt: { done: ['x'] },
    })
    const steps = planRedo(situation(three, [event(1), event(2), half]), 1)
    expect(steps.map((step) => [step.direction, step.resumeAt])).toEqual([
      ['down', 2],
      ['up', 1],
    ])
  })
})

describe('the plan to go to a version', () => {
  const history = [event(1), event(2)]

  it('goes up or down, whichever is needed', () => {
    expect(path(planGoto(situation(three, history), 3))).toEqual(['up 3'])
    expect(path(planGoto(situation(three, history), 2))).toEqual([])
    expect(path(planGoto(situation(three, history), 0))).toEqual(['down 2', 'down 1'])
    expect(() => planGoto(situation(three, history), 7)).toThrow('no migration with version 7')
  })

  it('refuses what came late below the target, unless that is allowed', () => {
    expect(() => planGoto(situation(three, [event(1), event(3)]), 3)).toThrow('2_m2 is older than 3_m3')
    expect(path(planGoto(situation(three, [event(1), event(3)]), 3, true))).toEqual(['up 2'])
    expect(path(planGoto(situation(three, [event(1), event(3)]), 2))).toEqual(['down 3', 'up 2'])
  })
})
