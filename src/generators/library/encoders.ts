import { CopyBuffer } from '../copy-binary.js'
import type { SampleType } from '../samples/model.js'
import type { Family, Value } from './generator.js'

/** Writes a value that is not null as one field. */
export type Encoder = (value: Value, target: CopyBuffer) => void

/** A value that its column cannot hold. */
export class ValueError extends Error {}

/**
 * How values of a type are written in binary form; undefined for a type whose binary form
 * is not known here, whose values the server has to encode beforehand.
 */
export function encoderFor(type: SampleType): Encoder | undefined {
  if (type.kind === 'domain') return encoderFor(type.base)
  if (type.kind === 'enum') return labelEncoder(type.labels)
  if (type.kind === 'array') return arrayEncoder(type)
  return type.kind === 'base' ? encoders[type.name]?.(type.modifier) : undefined
}

export function familyOf(type: SampleType): Family {
  if (type.kind === 'domain') return familyOf(type.base)
  if (type.kind === 'enum') return 'text'
  if (type.kind === 'array') return 'array'
  return type.kind === 'base' ? (familyByName[type.name] ?? 'other') : 'other'
}

/** The type below domains. */
export function plainType(type: SampleType): SampleType {
  return type.kind === 'domain' ? plainType(type.base) : type
}

/** The decimal places that a column keeps; undefined when it keeps whatever it is given. */
export function scaleOf(type: SampleType): number | undefined {
  const plain = plainType(type)
  if (plain.kind !== 'base') return undefined
  if (/^int\d$/.test(plain.name)) return 0
  return plain.name === 'numeric' && plain.modifier >= 4 ? numericScale(plain.modifier) : undefined
}

/** The most characters that a text column takes. */
export function lengthOf(type: SampleType): number {
  const plain = plainType(type)
  if (plain.kind !== 'base') return Number.POSITIVE_INFINITY
  if (plain.name === 'name') return 63
  const isLimited = (plain.name === 'varchar' || plain.name === 'bpchar') && plain.modifier >= 4
  return isLimited ? plain.modifier - 4 : Number.POSITIVE_INFINITY
}

const familyByName: Readonly<Record<string, Family>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  oid: 'integer',
  float4: 'decimal',
  float8: 'decimal',
  numeric: 'decimal',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  citext: 'text',
  name: 'text',
  bool: 'boolean',
  timestamptz: 'time',
  timestamp: 'time',
  date: 'time',
  time: 'time',
  interval: 'interval',
  uuid: 'uuid',
  json: 'json',
  jsonb: 'json',
  bytea: 'bytes',
}

type EncoderOf = (modifier: number) => Encoder

const encoders: Readonly<Record<string, EncoderOf>> = {
  int2: integer(-32_768, 32_767, (value, target) => target.int2(value)),
  int4: integer(-2_147_483_648, 2_147_483_647, (value, target) => target.int4(value)),
  int8: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, (value, target) => target.int8(value)),
  oid: integer(0, 4_294_967_295, (value, target) => target.int4(value)),
  float4: () => (value, target) => void target.float4(numberOf(value)),
  float8: () => (value, target) => void target.float8(numberOf(value)),
  numeric: numericEncoder,
  bool: () => (value, target) => void target.bool(booleanOf(value)),
  text: textEncoder,
  varchar: textEncoder,
  citext: textEncoder,
  name: textEncoder,
  bpchar: paddedEncoder,
  timestamptz: (modifier) => (value, target) => void target.timestamptz(roundedTime(microsOf(value), modifier)),
  timestamp: (modifier) => (value, target) => void target.timestamptz(roundedTime(microsOf(value), modifier)),
  date: () => (value, target) => void target.date(Math.floor(microsOf(value) / microsPerDay)),
  time: (modifier) => (value, target) => {
    const micros = microsOf(value) % microsPerDay
    target.time(roundedTime(micros < 0 ? micros + microsPerDay : micros, modifier))
  },
  // A number of seconds.
  interval: () => (value, target) => void target.interval(0, 0, Math.round(numberOf(value) * 1_000_000)),
  uuid: () => (value, target) => void target.uuidText(uuidOf(value)),
  json: () => (value, target) => void target.text(wellFormed(JSON.stringify(plain(value)))),
  jsonb: () => (value, target) => void target.jsonb(plain(value)),
  bytea: () => (value, target) => void target.textBytes(bytesOf(value)),
}

const microsPerDay = 86_400_000_000

function integer(low: number, high: number, write: (value: number, target: CopyBuffer) => void): EncoderOf {
  return () => (value, target) => {
    const number = numberOf(value)
    if (!Number.isInteger(number)) throw new ValueError(`${shown(value)} is not a whole number`)
    if (number < low || number > high) throw new ValueError(`${number} is out of range (${low} to ${high})`)
    write(number, target)
  }
}

function numericEncoder(modifier: number): Encoder {
  const scale = modifier < 4 ? undefined : numericScale(modifier)
  const digits = modifier < 4 ? undefined : (modifier - 4) >> 16
  return (value, target) => {
    const text = decimalText(value, scale)
    const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
    const width = whole.replace(/^0+/, '').length
    if (digits !== undefined && scale !== undefined && width > digits - scale) {
      throw new ValueError(`${text} has more digits than numeric(${digits},${scale}) takes`)
    }
    const scaled = Number(`${whole}${fraction}`)
    if (Number.isSafeInteger(scaled) && fraction.length <= 12) {
      target.numeric(sign === '' || scaled === 0 ? scaled : -scaled, fraction.length)
    } else {
      target.textBytes(numericBytes(sign, whole, fraction))
    }
  }
}

/** A number without an exponent, with the scale of the column. */
function decimalText(value: Value, scale: number | undefined): string {
  if (typeof value === 'bigint') return scale ? `${value}.${'0'.repeat(scale)}` : String(value)
  if (typeof value === 'string' && !/^-?\d+(\.\d+)?$/.test(value))
    throw new ValueError(`${shown(value)} is not a number`)
  if (scale !== undefined) return numberOf(value).toFixed(Math.max(0, scale))
  if (typeof value === 'string') return value
  const text = String(numberOf(value))
  return text.includes('e')
    ? numberOf(value)
        .toFixed(20)
        .replace(/\.?0+$/, '')
    : text
}

/** https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c (numeric_recv) */
function numericBytes(sign: string, whole: string, fraction: string): Buffer {
  const before = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
  const behind = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
  const groups = `${before}${behind}`.match(/\d{4}/g)?.map(Number) ?? []
  let weight = before.length / 4 - 1
  while (groups[0] === 0) {
    groups.shift()
    weight--
  }
  while (groups.at(-1) === 0) groups.pop()
  const bytes = Buffer.alloc(8 + groups.length * 2)
  bytes.writeInt16BE(groups.length, 0)
  bytes.writeInt16BE(groups.length === 0 ? 0 : weight, 2)
  bytes.writeUInt16BE(sign === '-' && groups.length > 0 ? 0x4000 : 0, 4)
  bytes.writeInt16BE(fraction.length, 6)
  for (const [i, group] of groups.entries()) bytes.writeInt16BE(group, 8 + i * 2)
  return bytes
}

/** The scale is kept in eleven bits, in two's complement (numeric_typmod_scale, ibid.). */
function numericScale(modifier: number): number {
  return (((modifier - 4) & 0x7ff) ^ 1024) - 1024
}

function textEncoder(modifier: number): Encoder {
  const longest = modifier < 4 ? Number.POSITIVE_INFINITY : modifier - 4
  return (value, target) => void target.text(fittingText(value, longest))
}

/** `char(n)` comes back filled up with blanks. */
function paddedEncoder(modifier: number): Encoder {
  const length = modifier < 4 ? 1 : modifier - 4
  return (value, target) => {
    const text = fittingText(value, length)
    target.text(text + ' '.repeat(length - [...text].length))
  }
}

function fittingText(value: Value, longest: number): string {
  const text = wellFormed(textOf(value))
  if (text.includes('\0')) throw new ValueError('a text cannot hold a NUL character')
  if (text.length > longest && [...text].length > longest) {
    throw new ValueError(`${shown(text)} is longer than ${longest} characters`)
  }
  return text
}

function labelEncoder(labels: readonly string[]): Encoder {
  const known = new Set(labels)
  return (value, target) => {
    const label = textOf(value)
    if (!known.has(label)) throw new ValueError(`${shown(value)} is none of ${labels.map(shown).join(', ')}`)
    target.text(label)
  }
}

/** https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv) */
function arrayEncoder(type: Extract<SampleType, { readonly kind: 'array' }>): Encoder | undefined {
  const encode = encoderFor(type.element)
  if (!encode) return undefined
  const elements = new CopyBuffer(1024)
  return (value, target) => {
    if (!Array.isArray(value)) throw new ValueError(`${shown(value)} is not an array`)
    const list = value as readonly Value[]
    elements.clear()
    for (const element of list) element === null ? elements.null() : encode(element, elements)
    const header = Buffer.alloc(list.length === 0 ? 12 : 20)
    header.writeInt32BE(list.length === 0 ? 0 : 1, 0)
    header.writeInt32BE(list.includes(null) ? 1 : 0, 4)
    header.writeUInt32BE(type.elementOid, 8)
    if (list.length > 0) {
      header.writeInt32BE(list.length, 12)
      header.writeInt32BE(1, 16)
    }
    target.textBytes(Buffer.concat([header, elements.content]))
  }
}

function numberOf(value: Value): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'bigint') return Number(number)
  if (typeof number !== 'number' || Number.isNaN(number)) throw new ValueError(`${shown(value)} is not a number`)
  return number
}

function booleanOf(value: Value): boolean {
  if (typeof value !== 'boolean') throw new ValueError(`${shown(value)} is neither true nor false`)
  return value
}

/** Microseconds since 1970 of a number of them, of a Date, or of an ISO time in UTC unless it says otherwise. */
export function microsOf(value: Value): number {
  if (typeof value === 'number') return Math.round(value)
  const time = value instanceof Date ? value.getTime() : isoTime(String(value))
  if (Number.isNaN(time)) throw new ValueError(`${shown(value)} is not a time`)
  return time * 1000
}

function isoTime(text: string): number {
  if (/^\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(text)) return isoTime(`1970-01-01T${text}`)
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return Number.NaN
  const isZoned = /([+-]\d{2}(:?\d{2})?|Z)$/.test(text.slice(10))
  return Date.parse(isZoned || text.length === 10 ? text.replace(' ', 'T') : `${text.replace(' ', 'T')}Z`)
}

/** Columns such as `timestamptz(0)` keep less than microseconds. */
function roundedTime(micros: number, modifier: number): number {
  if (modifier < 0 || modifier >= 6) return micros
  const unit = 10 ** (6 - modifier)
  return Math.round(micros / unit) * unit
}

function uuidOf(value: Value): string {
  const text = String(value)
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new ValueError(`${shown(value)} is not a UUID`)
  return text
}

function bytesOf(value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string') return Buffer.from(value)
  throw new ValueError(`${shown(value)} is not a row of bytes`)
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object') throw new ValueError(`${shown(value)} is not a text`)
  return String(value)
}

function plain(value: Value): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

/** Half a surrogate pair, which UTF-8 has no form for, becomes U+FFFD. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
