import type { Limit, Rules } from './model.js'
import type { Draw } from './values.js'

/** https://www.postgresql.org/docs/current/datatype-numeric.html */
const integerRanges: Readonly<Record<string, readonly [number, number]>> = {
  int2: [-32_768, 32_767],
  int4: [-2_147_483_648, 2_147_483_647],
  int8: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
}

/** A number of a numeric type that keeps to the bounds; undefined for other types. */
export function numberWithin(name: string, modifier: number, rules: Rules, draw: Draw): string | undefined {
  const range = integerRanges[name]
  if (range) return String(integerWithin(range, rules, draw))
  if (name === 'numeric') return decimalWithin(numericShape(modifier), rules, draw)
  if (name === 'money') return decimalWithin({ digits: 9, scale: 2 }, rules, draw)
  if (name === 'float4' || name === 'float8') return decimalWithin({ digits: 6, scale: 3 }, rules, draw)
  return undefined
}

function integerWithin([least, greatest]: readonly [number, number], rules: Rules, draw: Draw): number {
  const usual = draw.flavour === 'plain' ? 1000 : 1_000_000_000
  const low = Math.max(least, lowest(rules.min, 1) ?? Math.min(1, highest(rules.max, 1) ?? 1))
  const high = Math.min(greatest, highest(rules.max, 1) ?? low + usual)
  return rimOr(low, Math.max(low, high), 1, draw)
}

/** The digits of `numeric(precision, scale)`; a type without them is given an everyday shape. */
function numericShape(modifier: number): { readonly digits: number; readonly scale: number } {
  if (modifier < 4) return { digits: 9, scale: 3 }
  // The scale is kept in eleven bits, in two's complement.
  // https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c (numeric_typmod_scale)
  return { digits: Math.min(15, (modifier - 4) >> 16), scale: (((modifier - 4) & 0x7ff) ^ 1024) - 1024 }
}

function decimalWithin(
  { digits, scale }: { readonly digits: number; readonly scale: number },
  rules: Rules,
  draw: Draw,
): string {
  const step = 10 ** -scale
  const greatest = 10 ** Math.min(digits, 15) - 1
  const min = rules.min && Math.ceil(Number(rules.min.value) / step - 1e-9) + (rules.min.inclusive ? 0 : 1)
  const max = rules.max && Math.floor(Number(rules.max.value) / step + 1e-9) - (rules.max.inclusive ? 0 : 1)
  const low = Math.max(-greatest, min ?? Math.min(1, max ?? 1))
  const usual = draw.flavour === 'plain' ? Math.max(9, 100 / step) : greatest
  const high = Math.min(greatest, max ?? low + usual)
  return shift(rimOr(low, Math.max(low, high), 1, draw), scale)
}

/** `mantissa` × 10^-`scale`, written out. */
function shift(mantissa: number, scale: number): string {
  if (scale <= 0) return `${mantissa}${mantissa === 0 ? '' : '0'.repeat(-scale)}`
  const digits = String(Math.abs(mantissa)).padStart(scale + 1, '0')
  return `${mantissa < 0 ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** At the edge the bounds themselves, else something between them. */
function rimOr(low: number, high: number, step: number, { random, flavour }: Draw): number {
  if (flavour === 'edge') return random.chance(0.5) ? low : high
  return Math.min(high, low + step * Math.floor(random.uniform53() * ((high - low) / step + 1)))
}

function lowest(limit: Limit | undefined, step: number): number | undefined {
  if (!limit) return undefined
  const value = Number(limit.value)
  return limit.inclusive ? Math.ceil(value) : Math.floor(value) + step
}

function highest(limit: Limit | undefined, step: number): number | undefined {
  if (!limit) return undefined
  const value = Number(limit.value)
  return limit.inclusive ? Math.floor(value) : Math.ceil(value) - step
}

const day = 86_400_000
/** Where the times of sample rows lie when nothing bounds them. */
const usualFrom = Date.UTC(2024, 0, 1)
const usualDays = 900

/** A date or timestamp within its bounds; undefined for other types. */
export function timeWithin(name: string, rules: Rules, { random, flavour }: Draw): string | undefined {
  if (name !== 'date' && name !== 'timestamp' && name !== 'timestamptz') return undefined
  const step = name === 'date' ? day : 1
  const min = timeOf(rules.min)
  const max = timeOf(rules.max)
  const low = min === undefined ? Math.min(usualFrom, (max ?? Number.MAX_VALUE) - usualDays * day) : min
  const high = max ?? Math.max(usualFrom, low) + usualDays * day
  const first = rules.min && !rules.min.inclusive ? low + step : low
  const last = rules.max && !rules.max.inclusive ? high - step : high
  if (flavour === 'edge' && rules.min) return written(first, name)
  return written(Math.min(last, first + Math.floor(random.uniform53() * Math.max(1, last - first))), name)
}

/** Undefined for a bound that is no time JavaScript can read, `infinity` for one. */
function timeOf(limit: Limit | undefined): number | undefined {
  if (!limit) return undefined
  const text = limit.value.replace(' ', 'T')
  const zoned = text.includes('T') && !/([+-]\d\d(:\d\d)?|Z)$/.test(text) ? `${text}Z` : text
  // PostgreSQL writes whole hours of an offset without minutes, which JavaScript does not read.
  const time = Date.parse(zoned.replace(/(T.*[+-]\d\d)$/, '$1:00'))
  return Number.isNaN(time) ? undefined : time
}

function written(time: number, name: string): string {
  const iso = new Date(time).toISOString()
  if (name === 'date') return iso.slice(0, 10)
  return name === 'timestamp' ? iso.slice(0, -1).replace('T', ' ') : iso.replace('T', ' ').replace('Z', '+00')
}
