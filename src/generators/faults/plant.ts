import { CopyBuffer } from '../copy-binary.js'
import type { FactTable, Stretch } from '../pack.js'
import { Random, type StreamKey, streamKey } from '../random.js'
import type { Fault, FaultSetting } from './fault.js'
import { RowEdit } from './row-edit.js'

/** Told of every fault that is planted, with the key of its row or the name of its unit. */
export type Witness = (fault: string, key: string) => void

/** A fault that was asked for, and the numbers that decide which rows get it. */
export interface ArmedFault<Context> {
  readonly fault: Fault<Context>
  readonly rate: number
  readonly key: StreamKey
}

/** Readies the faults that were asked for, in the order of the catalogue. */
export function armFaults<Context>(
  faults: readonly Fault<Context>[],
  settings: readonly FaultSetting[],
  runId: string,
): readonly ArmedFault<Context>[] {
  return faults.flatMap((fault) => {
    const setting = settings.find(({ name }) => name === fault.name)
    return setting ? [{ fault, rate: setting.rate, key: streamKey('fault', fault.name, runId) }] : []
  })
}

/**
 * A fact table whose rows have faults.
 *
 * Whether a row gets a fault is decided by its own key and the run alone, so that shards,
 * workers and other faults do not matter, and every other row stays what it was to the
 * byte. No row has two faults: the first one that chooses it has it.
 */
export function withFaults<Context>(
  fact: FactTable,
  armed: readonly ArmedFault<Context>[],
  context: Context,
  witness: Witness = () => undefined,
): FactTable {
  const own = armed.filter(({ fault }) => fault.table === fact.table || fault.follow?.[fact.table])
  if (own.length === 0) return fact
  const { rows: _, countRows: __, ...table } = fact
  return {
    ...table,
    encode: (stretch, target) => plantedRows(fact, new Planter(fact, own, context, witness), stretch, target),
  }
}

function* plantedRows<Context>(
  fact: FactTable,
  planter: Planter<Context>,
  stretch: Stretch,
  target: CopyBuffer,
): Iterable<number> {
  const source = new CopyBuffer()
  const row = new RowEdit(fact.columns)
  let rows = 0
  for (const _ of fact.encode(stretch, source)) {
    row.reader.open(source.content)
    while (row.reader.read()) {
      row.reset()
      const isChanged = planter.plant(row)
      if (!isChanged || row.copies === 2) row.writeOriginal(target)
      if (isChanged && row.copies > 0) row.writeChanged(target)
      rows += row.copies
      if (!target.isFull) continue
      yield rows
      rows = 0
    }
    source.clear()
  }
  yield rows
}

class Planter<Context> {
  readonly #dice = new Random()
  readonly #table: string
  readonly #armed: readonly ArmedFault<Context>[]
  readonly #context: Context
  readonly #witness: Witness
  readonly #keyTypes: ReadonlyMap<string, string>
  /** Units that were told of already; rows of a unit come together. */
  readonly #told = new Set<string>()

  constructor(fact: FactTable, armed: readonly ArmedFault<Context>[], context: Context, witness: Witness) {
    this.#table = fact.table
    this.#armed = armed
    this.#context = context
    this.#witness = witness
    this.#keyTypes = new Map(fact.columns.map(({ name, type }) => [name, type]))
  }

  /** Whether the row has a fault now. */
  plant(row: RowEdit): boolean {
    for (const { fault, rate, key } of this.#armed) {
      const number = fault.unit ? fault.unit.number(row) : row.hash(fault.key)
      if (!(this.#dice.seat(key, number).uniform() < rate)) continue
      const change = fault.table === this.#table ? fault.plant : fault.follow?.[this.#table]
      if (!change?.(row, this.#dice, this.#context)) continue
      if (fault.table === this.#table) this.#tell(fault, row)
      return true
    }
    return false
  }

  #tell(fault: Fault<Context>, row: RowEdit): void {
    if (!fault.unit) {
      this.#witness(fault.name, row.written(fault.key, this.#keyTypes.get(fault.key) ?? ''))
      return
    }
    const unit = fault.unit.name(row)
    const name = `${fault.name} ${unit}`
    if (this.#told.has(name)) return
    this.#told.add(name)
    this.#witness(fault.name, unit)
  }
}
