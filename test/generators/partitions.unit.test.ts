import { describe, expect, it } from 'vitest'
import { monthsOf, type Partitioning, partitionName, planPieces } from '../../src/generators/partitions.js'

const at = (text: string) => Date.parse(`${text}Z`)
const month = (name: string, from: string, to: string) => ({ name, from: at(from), to: at(to) })
const window = { from: at('2026-11-15T06:30:00'), to: at('2027-02-03T00:00:00') }
const partitioning: Partitioning = {
  partitions: [month('traces_y2026m12', '2026-12-01T00:00:00', '2027-01-01T00:00:00')],
  defaultPartition: 'traces_default',
}
const nowhere = () => false

describe('the plan of a window', () => {
  it('loads a month without a partition beside the table and any other through it', () => {
    expect(summary(planPieces('traces', window, partitioning, new Set(), nowhere))).toEqual([
      ['traces_y2026m11', 'detached', '2026-11-15T06:30:00.000Z', '2026-12-01T00:00:00.000Z'],
      ['traces_y2026m12', 'parent', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
      ['traces_y2027m01', 'detached', '2027-01-01T00:00:00.000Z', '2027-02-01T00:00:00.000Z'],
      ['traces_y2027m02', 'detached', '2027-02-01T00:00:00.000Z', '2027-02-03T00:00:00.000Z'],
    ])
  })

  it('makes room for a month that has rows in the default partition', () => {
    const inJanuary = ({ from }: { from: number }) => from === at('2027-01-01T00:00:00')
    const pieces = planPieces('traces', window, partitioning, new Set(), inJanuary)
    expect(pieces.map(({ way }) => way)).toEqual(['detached', 'parent', 'ensure', 'detached'])
  })

  it('replaces a partition only when it may and spans the month exactly', () => {
    const quarter = month('traces_q1', '2027-01-01T00:00:00', '2027-04-01T00:00:00')
    const partitions = [...partitioning.partitions, quarter]
    const all = new Set(partitions.map(({ name }) => name))
    const pieces = planPieces('traces', window, { ...partitioning, partitions }, all, nowhere)
    expect(pieces.map(({ way, replaces }) => [way, replaces])).toEqual([
      ['detached', false],
      ['detached', true],
      ['parent', false],
      ['parent', false],
    ])
  })
})

it('counts months in UTC and names them', () => {
  const months = monthsOf({ from: at('2024-02-29T23:59:59.999'), to: at('2024-03-01T00:00:00.001') })
  expect(months.map((each) => partitionName('traces', each))).toEqual(['traces_y2024m02', 'traces_y2024m03'])
  expect(monthsOf({ from: at('2024-02-01T00:00:00'), to: at('2024-03-01T00:00:00') })).toHaveLength(1)
})

function summary(pieces: ReturnType<typeof planPieces>): string[][] {
  return pieces.map(({ partition, way, stretch }) => [
    partition,
    way,
    new Date(stretch.from).toISOString(),
    new Date(stretch.to).toISOString(),
  ])
}
