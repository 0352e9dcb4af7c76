import type { CopyBuffer } from '../copy-binary.js'
import type { FactTable, ReferenceTable, Stretch } from '../pack.js'

/** The same fact tables of several workspaces as one of each, workspace by workspace within a stretch. */
export function unitedFacts(parts: readonly (readonly FactTable[])[]): readonly FactTable[] {
  const [first = [], ...others] = parts
  if (others.length === 0) return first
  return first.map((fact, place) =>
    unitedFact(
      fact,
      parts.map((facts) => facts[place] ?? fact),
    ),
  )
}

function unitedFact(fact: FactTable, parts: readonly FactTable[]): FactTable {
  const { rows, countRows, ...same } = fact
  return {
    ...same,
    ...(rows === undefined ? {} : { rows: sum(parts.map((part) => part.rows ?? 0)) }),
    ...(countRows ? { countRows: (stretch) => sum(parts.map((part) => part.countRows?.(stretch) ?? 0)) } : {}),
    encode: (stretch, target) => encodeParts(parts, stretch, target),
  }
}

function* encodeParts(parts: readonly FactTable[], stretch: Stretch, target: CopyBuffer): Iterable<number> {
  for (const part of parts) yield* part.encode(stretch, target)
}

/** The same reference tables of several workspaces as one of each. */
export function unitedReferences(parts: readonly (readonly ReferenceTable[])[]): readonly ReferenceTable[] {
  const [first = []] = parts
  return first.map((reference, place) => ({ ...reference, rows: parts.flatMap((tables) => tables[place]?.rows ?? []) }))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
