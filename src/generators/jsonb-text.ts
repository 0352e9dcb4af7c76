/**
 * A JSON value in the words in which PostgreSQL gives a `jsonb` back.
 *
 * Keys by length and then by their bytes, one blank behind every colon and comma, numbers
 * without an exponent: the output of `JsonbToCString` for what `jsonb_in` made of the
 * value (src/backend/utils/adt/jsonb.c). Half a surrogate pair, which PostgreSQL refuses,
 * becomes U+FFFD.
 */
export function jsonbText(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(jsonbText).join(', ')}]`
  if (typeof value === 'object') return objectText(value)
  throw new TypeError(`JSON has no ${typeof value}`)
}

function objectText(value: object): string {
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => ({ key, bytes: Buffer.from(key), member }))
    .sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
  return `{${members.map(({ key, member }) => `${quoted(key)}: ${jsonbText(member)}`).join(', ')}}`
}

function quoted(text: string): string {
  return JSON.stringify(Buffer.from(text).toString())
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`JSON has no ${value}`)
  const text = JSON.stringify(value)
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (exponent === undefined) return text
  const places = Number(exponent)
  const digits = whole + fraction
  if (places < 0) return `${sign}0.${'0'.repeat(-places - 1)}${digits}`
  return `${sign}${digits}${'0'.repeat(places - fraction.length)}`
}
