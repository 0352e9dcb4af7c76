/**
 * The rows of a piece of a binary COPY that holds whole rows, field by field.
 *
 * The array and its views belong to the iterator: they are valid until the next row.
 */
export function* rowsOf(content: Buffer): Iterable<readonly (Buffer | null)[]> {
  const row: (Buffer | null)[] = []
  for (let at = 0; at < content.length; ) {
    const fields = content.readInt16BE(at)
    at += 2
    row.length = fields
    for (let i = 0; i < fields; i++) {
      const length = content.readInt32BE(at)
      at += 4
      row[i] = length < 0 ? null : content.subarray(at, at + length)
      at += Math.max(0, length)
    }
    yield row
  }
}

/**
 * A field as PostgreSQL would write it, with dates in ISO order and times in UTC.
 *
 * @param type the name of a type in the words of pg_type, such as `int4` or `varchar[]`.
 * @throws Error when the type is none that `CopyBuffer` writes.
 */
export function fieldText(type: string, field: Buffer): string {
  if (type.endsWith('[]')) return arrayText(type.slice(0, -2), field)
  const read = readers[type]
  if (!read) throw new Error(`no reader of binary fields for the type ${type}`)
  return read(field)
}

const asText = (field: Buffer) => field.toString()

const readers: Readonly<Record<string, (field: Buffer) => string>> = {
  bool: (field) => (field[0] === 1 ? 't' : 'f'),
  int2: (field) => String(field.readInt16BE()),
  int4: (field) => String(field.readInt32BE()),
  int8: (field) => field.readBigInt64BE().toString(),
  float4: (field) => String(Math.fround(field.readFloatBE())),
  float8: (field) => String(field.readDoubleBE()),
  numeric: numericText,
  timestamptz: (field) => `${timestampText(field)}+00`,
  timestamp: timestampText,
  date: (field) => dayText(field.readInt32BE()),
  time: (field) => timeText(int64(field)),
  uuid: (field) => field.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  text: asText,
  varchar: asText,
  bpchar: asText,
  json: asText,
  jsonb: (field) => field.toString('utf8', 1),
  bytea: (field) => `\\x${field.toString('hex')}`,
}

function numericText(field: Buffer): string {
  const groups = field.readInt16BE()
  const weight = field.readInt16BE(2)
  const scale = field.readInt16BE(6)
  const group = (i: number) => (i >= 0 && i < groups ? String(field.readInt16BE(8 + i * 2)).padStart(4, '0') : '0000')
  let whole = ''
  for (let i = 0; i <= weight; i++) whole += group(i)
  let fraction = ''
  for (let i = weight + 1; fraction.length < scale; i++) fraction += group(i)
  const sign = field.readUInt16BE(4) === 0x4000 ? '-' : ''
  const digits = whole.replace(/^0+(?=\d)/, '') || '0'
  return scale > 0 ? `${sign}${digits}.${fraction.slice(0, scale)}` : `${sign}${digits}`
}

const microsPerDay = 86_400_000_000

/** As a number: the times of sixteen centuries fit exactly. */
function int64(field: Buffer): number {
  return field.readInt32BE() * 0x1_0000_0000 + field.readUInt32BE(4)
}

function timestampText(field: Buffer): string {
  const micros = int64(field)
  const day = Math.floor(micros / microsPerDay)
  return `${dayText(day)} ${timeText(micros - day * microsPerDay)}`
}

/** @param day counted from 2000-01-01. */
function dayText(day: number): string {
  return new Date((day + 10_957) * 86_400_000).toISOString().replace(/T.*$/, '')
}

/** As PostgreSQL writes it: without zeros at the end of the fraction. */
function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const fraction = String(micros - seconds * 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const clock = parts.map((part) => String(part).padStart(2, '0')).join(':')
  return fraction ? `${clock}.${fraction}` : clock
}

function arrayText(type: string, field: Buffer): string {
  if (field.readInt32BE() === 0) return '{}'
  const elements: string[] = []
  for (let at = 20; at < field.length; ) {
    const length = field.readInt32BE(at)
    at += 4
    elements.push(length < 0 ? 'NULL' : quotedElement(fieldText(type, field.subarray(at, at + length))))
    at += Math.max(0, length)
  }
  return `{${elements.join(',')}}`
}

/** What array_out leaves without quotes: nothing empty, no NULL, none of its own signs and no blanks. */
function quotedElement(text: string): string {
  const isPlain = text !== '' && !/^null$/i.test(text) && !/[{}",\\ \t\n\r\v\f]/.test(text)
  return isPlain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}
