/** How two catalogs differ, line by line. */
export interface Difference {
  /** What the migrations would build and the database lacks. */
  readonly missing: readonly string[]
  /** What the database holds and no migration builds. */
  readonly extra: readonly string[]
}

/** Compares the lines of two catalogs; pure. */
export function compareLines(built: readonly string[], found: readonly string[]): Difference {
  const [inBuilt, inFound] = [new Set(built), new Set(found)]
  return {
    missing: built.filter((line) => !inFound.has(line)),
    extra: found.filter((line) => !inBuilt.has(line)),
  }
}

/** How many lines differ. */
export function sizeOf({ missing, extra }: Difference): number {
  return missing.length + extra.length
}

/** `2 differences`. */
export function countOf(difference: Difference): string {
  const size = sizeOf(difference)
  return `${size} ${size === 1 ? 'difference' : 'differences'}`
}

const mostLines = 20
const longestLine = 160

/** The differences for people, the first of them, each on one line. */
export function describeDifference({ missing, extra }: Difference): string {
  const lines = [
    ...missing.map((line) => `  only in the migrations: ${shorten(line)}`),
    ...extra.map((line) => `  only in the database: ${shorten(line)}`),
  ]
  const more = lines.length - mostLines
  return [...lines.slice(0, mostLines), ...(more > 0 ? [`  and ${more} more (--json lists them all)`] : [])].join('\n')
}

function shorten(line: string): string {
  const flat = line.replace(/\s+/g, ' ')
  return flat.length > longestLine ? `${flat.slice(0, longestLine - 1)}…` : flat
}
