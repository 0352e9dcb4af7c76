import type { CopyBuffer } from './copy-binary.js'
import type { Column } from './pack.js'
import { readTypes, type ValueType } from './sinks/value-type.js'

/** Encodes rows of values in their written form, such as those of reference tables. */
export function writtenRowEncoder(
  table: string,
  columns: readonly Column[],
): (row: readonly (string | null)[], target: CopyBuffer) => void {
  const types = readTypes(table, columns)
  return (row, target) => {
    target.row(types.length)
    for (const [index, type] of types.entries()) {
      const value = row[index] ?? null
      if (value === null) target.null()
      else encode(value, type, target)
    }
  }
}

function encode(value: string, { kind, isArray }: ValueType, target: CopyBuffer): void {
  if (isArray) throw new Error(`an array cannot be encoded from its written form: ${value}`)
  switch (kind) {
    case 'bool':
      target.bool(/^t/i.test(value))
      return
    case 'int2':
      target.int2(Number(value))
      return
    case 'int4':
      target.int4(Number(value))
      return
    case 'int8':
      target.int8(Number(value))
      return
    case 'numeric': {
      const scale = value.split('.')[1]?.length ?? 0
      target.numeric(Math.round(Number(value) * 10 ** scale), scale)
      return
    }
    case 'uuid':
      target.uuidText(value)
      return
    case 'jsonb':
      target.jsonb(JSON.parse(value))
      return
    case 'date':
      target.date(Math.round(Date.parse(`${value}T00:00:00Z`) / 86_400_000))
      return
    case 'timestamp':
    case 'timestamptz':
      target.timestamptz(Date.parse(value) * 1000)
      return
    case 'text':
    case 'json':
      target.text(value)
      return
    default:
      throw new Error(`a value of type ${kind} cannot be encoded from its written form`)
  }
}
