import type { Random } from '../random.js'
import type { Rules } from './model.js'
import type { Draw } from './values.js'

/** What everyday texts look like; one of them is likely to match what a pattern asks for. */
const shapes: readonly ((mark: string, random: Random) => string)[] = [
  (mark) => `sample ${mark}`,
  (mark) => `${mark}@example.com`,
  (mark) => `https://example.com/${mark}`,
  (mark) => `sample-${mark}`,
  (mark) => mark.toUpperCase(),
  (_, random) => `+49 30 ${100_000 + random.integer(899_999)}`,
  (_, random) => String(10_000 + random.integer(89_999)),
  (_, random) => letters(3, random).toUpperCase(),
]

/** Texts that programs get wrong. */
const odd: readonly string[] = [
  '',
  ' ',
  'it\'s "odd"; -- \\N \\. %s {{y}}',
  'Zürich, 東京, عربى, 🐘\u0301',
  'line one\nline two\r\n\ttabbed',
  'null',
]

/** A text of a type that holds text; undefined for other types. */
export function sampleText(name: string, modifier: number, rules: Rules, draw: Draw): string | undefined {
  const room = roomOf(name, modifier)
  if (room === undefined) return undefined
  const longest = Math.min(room, rules.maxLength ?? room)
  const shortest = Math.min(rules.minLength ?? 0, longest)
  return fitted(wish(rules, draw, shortest), shortest, longest, draw.random)
}

/** The most characters that fit; undefined when it is no text. */
export function roomOf(name: string, modifier: number): number | undefined {
  if (name === 'varchar' || name === 'bpchar') return modifier < 4 ? 10_000 : modifier - 4
  if (name === 'text' || name === 'citext' || name === 'refcursor') return 10_000
  // Bytes rather than characters; 63 of them, and the odd texts are shorter.
  return name === 'name' ? 63 : undefined
}

function wish(rules: Rules, { random, flavour }: Draw, shortest: number): string {
  // A bound on a text is a value of the other side of the comparison; beyond it lies what is longer.
  if (rules.min) return rules.min.inclusive ? rules.min.value : `${rules.min.value}a`
  if (flavour === 'plain') return letters(8, random)
  if (flavour === 'edge') {
    const usable = odd.filter((text) => [...text].length >= shortest)
    const text = usable[random.integer(usable.length)]
    if (text !== undefined) return text
  }
  const shape = shapes[random.chance(0.5) ? 0 : random.integer(shapes.length)]
  return shape?.(letters(8, random), random) ?? ''
}

function fitted(text: string, shortest: number, longest: number, random: Random): string {
  const characters = [...text]
  // Cut at the front: what tells two texts apart is at their end.
  if (characters.length > longest) return characters.slice(characters.length - longest).join('')
  return characters.length < shortest ? text + letters(shortest - characters.length, random) : text
}

/** Texts in the forms that conditions ask for most, so that the server can choose among them. */
export function candidateTexts(random: Random): readonly string[] {
  const digits = (count: number) => Array.from({ length: count }, () => random.integer(10)).join('')
  const hex = (count: number) => Array.from({ length: count }, () => random.integer(16).toString(16)).join('')
  const word = (count: number) => Array.from({ length: count }, () => alphabet[random.integer(26)]).join('')
  const lengths = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 32]
  return [
    ...lengths.flatMap((length) => [word(length), word(length).toUpperCase(), digits(length), hex(length)]),
    ...shapes.map((shape) => shape(word(6), random)),
    `${word(4)}.${word(3)}`,
    `${word(4)}.com`,
    `${word(4)}_${word(4)}`,
    `${word(4)}-${digits(2)}`,
    `${word(3).toUpperCase()}-${digits(4)}`,
    `${word(3).toUpperCase()}${digits(5)}`,
    `+49${digits(9)}`,
    `#${hex(6)}`,
    `sha256:${hex(64)}`,
    hex(40),
    hex(64),
    `${digits(1)}.${digits(1)}.${digits(2)}`,
    `v${digits(1)}.${digits(1)}`,
    `10.${random.integer(256)}.${random.integer(256)}.1`,
    `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
    `/${word(4)}/${word(4)}`,
    `1${digits(1)}:3${digits(1)}`,
    `20${10 + random.integer(20)}-1${random.integer(3)}-1${digits(1)}`,
    `${word(2)}-${word(2).toUpperCase()}`,
    `Europe/${word(1).toUpperCase()}${word(5)}`,
    `${word(1).toUpperCase()}${word(6)}`,
    `${word(1).toUpperCase()}${word(6)} ${word(1).toUpperCase()}${word(6)}`,
    '{}',
    '[]',
  ]
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Lower-case letters and digits, a letter first. */
function letters(length: number, random: Random): string {
  const tail = Array.from({ length: Math.max(0, length - 1) }, () => alphabet[random.integer(alphabet.length)])
  return `${alphabet[random.integer(26)]}${tail.join('')}`
}
