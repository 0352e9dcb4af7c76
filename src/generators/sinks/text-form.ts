import type { TextBuffer } from './text-buffer.js'
import type { Kind, ValueType } from './value-type.js'

/** Writes the value at `start`, `length` bytes of binary COPY, in another form. */
export type ValueWriter = (source: Buffer, start: number, length: number, target: TextBuffer) => void

/**
 * Writes values as PostgreSQL's own output functions would, in UTC, with `DateStyle` ISO
 * and `bytea_output` hex: a server that reads the text has the same value again.
 *
 * The binary forms are those of the types' send functions:
 * https://github.com/postgres/postgres/tree/master/src/backend/utils/adt
 */
export function textWriter({ kind, isArray }: ValueType): ValueWriter {
  return isArray ? arrayWriter(kind) : scalarWriters[kind]()
}

/** Each call makes a writer of its own, for some remember what they wrote last. */
const scalarWriters: Readonly<Record<Kind, () => ValueWriter>> = {
  bool: () => (source, start, _, target) => target.byte(source[start] === 1 ? 0x74 : 0x66),
  int2: () => (source, start, _, target) => target.integer(source.readInt16BE(start)),
  int4: () => (source, start, _, target) => target.integer(source.readInt32BE(start)),
  int8: () => writeInt8,
  float4: () => (source, start, _, target) => target.ascii(floatText(source.readFloatBE(start), 'float4')),
  float8: () => (source, start, _, target) => target.ascii(floatText(source.readDoubleBE(start), 'float8')),
  numeric: () => writeNumeric,
  text: () => copyText,
  json: () => copyText,
  // A jsonb begins with the number of its form, which is 1.
  jsonb: () => (source, start, length, target) => target.copy(source, start + 1, length - 1),
  bytea: () => (source, start, length, target) => {
    target.ascii('\\x')
    target.hex(source, start, length)
  },
  uuid: () => writeUuid,
  date: dateWriter,
  time: () => (source, start, _, target) => writeTimeOfDay(readSafeInt8(source, start), target),
  timestamp: () => timestampWriter(''),
  timestamptz: () => timestampWriter('+00'),
}

function copyText(source: Buffer, start: number, length: number, target: TextBuffer): void {
  target.copy(source, start, length)
}

function writeInt8(source: Buffer, start: number, _length: number, target: TextBuffer): void {
  const high = source.readInt32BE(start)
  // Up to here a double is exact.
  if (high < 0x20_0000 && high >= -0x20_0000) target.integer(high * 2 ** 32 + source.readUInt32BE(start + 4))
  else target.ascii(source.readBigInt64BE(start).toString())
}

function readSafeInt8(source: Buffer, start: number): number {
  return source.readInt32BE(start) * 2 ** 32 + source.readUInt32BE(start + 4)
}

function writeUuid(source: Buffer, start: number, _length: number, target: TextBuffer): void {
  target.hex(source, start, 4)
  target.byte(dash)
  for (let group = 0; group < 3; group++) {
    target.hex(source, start + 4 + group * 2, 2)
    target.byte(dash)
  }
  target.hex(source, start + 10, 6)
}

const dash = 0x2d

const negative = 0x4000
/** Signs of what has no digits. */
const numericWords: Readonly<Record<number, string>> = { 49152: 'NaN', 53248: 'Infinity', 61440: '-Infinity' }

/** Base 10,000 digits: their count, the weight of the first, the sign, the decimals to show, and the digits. */
function writeNumeric(source: Buffer, start: number, _length: number, target: TextBuffer): void {
  const count = source.readInt16BE(start)
  const weight = source.readInt16BE(start + 2)
  const sign = source.readUInt16BE(start + 4)
  const scale = source.readUInt16BE(start + 6)
  const word = numericWords[sign]
  if (word) {
    target.ascii(word)
    return
  }
  if (sign === negative) target.byte(dash)
  const digit = (place: number) => (place >= 0 && place < count ? source.readUInt16BE(start + 8 + place * 2) : 0)
  if (weight < 0) target.byte(0x30)
  for (let place = 0; place <= weight; place++) {
    if (place === 0) target.integer(digit(0))
    else target.digits(digit(place), 4)
  }
  if (scale === 0) return
  target.byte(0x2e)
  const end = target.length + scale
  for (let place = weight + 1; target.length < end; place++) target.digits(digit(place), 4)
  target.length = end
}

/**
 * The shortest digits that read back as the same number, in the notation of PostgreSQL:
 * with an exponent from 10¹⁵ (10⁶ for float4) and below 10⁻⁴.
 */
export function floatText(value: number, kind: 'float4' | 'float8'): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const shortest = kind === 'float8' ? value.toExponential() : shortestFloat(value)
  const [mantissa = '', power = '0'] = shortest.split('e')
  const exponent = Number(power)
  if (exponent >= (kind === 'float8' ? 15 : 6) || exponent < -4) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  const digits = mantissa.replace(/[-.]/g, '')
  return `${value < 0 ? '-' : ''}${placePoint(digits, exponent)}`
}

function shortestFloat(value: number): string {
  for (let digits = 0; digits < 8; digits++) {
    const text = value.toExponential(digits)
    if (Math.fround(Number(text)) === value) return text
  }
  return value.toExponential(8)
}

function placePoint(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const rest = digits.slice(exponent + 1)
  return rest === '' ? whole : `${whole}.${rest}`
}

const dayMicros = 86_400_000_000
/** Days from 1970-01-01 to 2000-01-01, from which PostgreSQL counts. */
export const epochDays = 10_957

/** The first 32 bits of the greatest and the least value stand for no end. */
const endlessWords: Readonly<Record<number, string>> = { 2147483647: 'infinity', [-0x8000_0000]: '-infinity' }

/** Remembers the last day it wrote out, because rows come in order of time. */
function timestampWriter(zone: string): ValueWriter {
  let written = Number.NaN
  let date = ''
  let era = ''
  return (source, start, _length, target) => {
    const high = source.readInt32BE(start)
    const low = source.readUInt32BE(start + 4)
    const endless = low === (high > 0 ? 0xffff_ffff : 0) ? endlessWords[high] : undefined
    if (endless) {
      target.ascii(endless)
      return
    }
    const { day, micros } = splitDay(high, low)
    if (day !== written) {
      written = day
      const parts = dateText(day)
      date = `${parts.date} `
      era = parts.era
    }
    target.ascii(date)
    writeTimeOfDay(micros, target)
    target.ascii(zone)
    target.ascii(era)
  }
}

/** Whole days since 2000 and the microseconds of the day, exact over the whole range of timestamps. */
export function splitDay(high: number, low: number): { day: number; micros: number } {
  if (high < 0x20_0000 && high >= -0x20_0000) {
    const value = high * 2 ** 32 + low
    const day = Math.floor(value / dayMicros)
    return { day, micros: value - day * dayMicros }
  }
  const value = (BigInt(high) << 32n) + BigInt(low)
  const rest = ((value % BigInt(dayMicros)) + BigInt(dayMicros)) % BigInt(dayMicros)
  return { day: Number((value - rest) / BigInt(dayMicros)), micros: Number(rest) }
}

function writeTimeOfDay(micros: number, target: TextBuffer): void {
  const seconds = Math.floor(micros / 1_000_000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  target.digits(hours, 2)
  target.byte(colon)
  target.digits(minutes - hours * 60, 2)
  target.byte(colon)
  target.digits(seconds - minutes * 60, 2)
  const fraction = micros - seconds * 1_000_000
  if (fraction === 0) return
  target.byte(0x2e)
  target.digits(fraction, 6)
  while (target.bytes[target.length - 1] === 0x30) target.length--
}

const colon = 0x3a

function dateWriter(): ValueWriter {
  return (source, start, _length, target) => {
    const day = source.readInt32BE(start)
    const { date, era } = endlessWords[day] ? { date: endlessWords[day], era: '' } : dateText(day)
    target.ascii(date)
    target.ascii(era)
  }
}

/**
 * A day since 2000-01-01 as a date of the Gregorian calendar.
 *
 * The civil-from-days algorithm of H. Hinnant, because a JavaScript date ends where
 * PostgreSQL's go on: https://howardhinnant.github.io/date_algorithms.html
 */
export function dateText(day: number): { date: string; era: string } {
  const shifted = day + epochDays + 719_468
  const cycle = Math.floor(shifted / 146_097)
  const ofCycle = shifted - cycle * 146_097
  const yearOfCycle = Math.floor(
    (ofCycle - Math.floor(ofCycle / 1460) + Math.floor(ofCycle / 36_524) - Math.floor(ofCycle / 146_096)) / 365,
  )
  const ofYear = ofCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100))
  const place = Math.floor((5 * ofYear + 2) / 153)
  const dayOfMonth = ofYear - Math.floor((153 * place + 2) / 5) + 1
  const month = place < 10 ? place + 3 : place - 9
  const year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
  const shown = year > 0 ? year : 1 - year
  const date = `${String(shown).padStart(4, '0')}-${pad(month)}-${pad(dayOfMonth)}`
  return { date, era: year > 0 ? '' : ' BC' }
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}

/** Calls `visit` for every element of an array, from its binary form; null elements have length -1. */
export function eachElement(
  source: Buffer,
  start: number,
  visit: (start: number, length: number, index: number) => void,
): void {
  let at = start + 12 + source.readInt32BE(start) * 8
  const count = elementCount(source, start)
  for (let index = 0; index < count; index++) {
    const length = source.readInt32BE(at)
    at += 4
    visit(at, length, index)
    if (length > 0) at += length
  }
}

/** The sizes of an array's dimensions; none when it is empty. */
export function dimensions(source: Buffer, start: number): readonly number[] {
  return Array.from({ length: source.readInt32BE(start) }, (_, i) => source.readInt32BE(start + 12 + i * 8))
}

function elementCount(source: Buffer, start: number): number {
  const sizes = dimensions(source, start)
  return sizes.length === 0 ? 0 : sizes.reduce((product, size) => product * size, 1)
}

function arrayWriter(kind: Kind): ValueWriter {
  const write = scalarWriters[kind]()
  return (source, start, _length, target) => {
    const sizes = dimensions(source, start)
    target.ascii(sizes.length === 0 ? '{}' : boundsPrefix(source, start, sizes))
    // How many elements a pair of braces of each depth holds.
    const spans = sizes.map((_, depth) => sizes.slice(depth).reduce((product, size) => product * size, 1))
    eachElement(source, start, (at, length, index) => {
      if (index > 0) target.byte(comma)
      for (const span of spans) if (index % span === 0) target.byte(0x7b)
      if (length < 0) target.ascii('NULL')
      else {
        const from = target.length
        write(source, at, length, target)
        quoteElement(target, from)
      }
      for (const span of spans) if ((index + 1) % span === 0) target.byte(0x7d)
    })
  }
}

/** `[0:2]=`, where an array does not begin at 1. */
function boundsPrefix(source: Buffer, start: number, sizes: readonly number[]): string {
  const lows = sizes.map((_, i) => source.readInt32BE(start + 16 + i * 8))
  if (lows.every((low) => low === 1)) return ''
  return `${sizes.map((size, i) => `[${lows[i]}:${(lows[i] ?? 1) + size - 1}]`).join('')}=`
}

const comma = 0x2c

/** Puts an element that array_out would quote into quotes, in place. */
function quoteElement(target: TextBuffer, from: number): void {
  const text = target.bytes.toString('utf8', from, target.length)
  if (text !== '' && !/[{}",\\ \t\n\r\v\f]/.test(text) && !/^null$/i.test(text)) return
  target.length = from
  target.text(`"${text.replace(/["\\]/g, '\\$&')}"`)
}
