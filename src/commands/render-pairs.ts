/** Lines of `name  value`, the values under each other; pairs without a value are left out. */
export function renderPairs(pairs: readonly (readonly [string, string | undefined])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.padEnd(width)}  ${value}`)
    .join('\n')
}
