const levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/**
 * Numbers as a line of bars, from zero (`▁`) to `most` (`█`), by default the largest of them.
 *
 * More numbers than `width` are averaged in neighbouring groups, so that the line
 * never grows beyond it; negative numbers count as zero.
 */
export function sparkline(values: readonly number[], width = Number.POSITIVE_INFINITY, most?: number): string {
  const shown = resample(values, width)
  const top = most ?? Math.max(...shown, 0)
  return shown.map((value) => levels[levelOf(value, top)] ?? levels[0]).join('')
}

/** A horizontal bar of at most `width` characters for `share` of 1, in eighths of a character. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  return '█'.repeat(Math.floor(eighths / 8)) + (parts[eighths % 8] ?? '')
}

const parts = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

function levelOf(value: number, most: number): number {
  return most === 0 ? 0 : Math.round(Math.min(1, Math.max(0, value) / most) * (levels.length - 1))
}

function resample(values: readonly number[], width: number): readonly number[] {
  if (values.length <= width) return values
  return Array.from({ length: width }, (_, index) => {
    const group = values.slice(
      Math.floor((index * values.length) / width),
      Math.floor(((index + 1) * values.length) / width),
    )
    return group.reduce((sum, value) => sum + value, 0) / group.length
  })
}
