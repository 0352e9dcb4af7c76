const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `90s`, `30m`, `24h`, `7d` or `4w` as milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, number = '', unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? []
  const factor = units[unit]
  return factor === undefined || Number(number) === 0 ? undefined : Number(number) * factor
}
