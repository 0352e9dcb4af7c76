/** All texts of a pattern, numbered. */
export interface Pattern {
  /** How many there are; at most 2⁵³, beyond which texts repeat no sooner but are not all reached. */
  readonly size: number
  at(index: number): string
}

/** What is wrong with a pattern, and where. */
export class PatternError extends Error {}

/** How often `*`, `+` and `{n,}` repeat at most beyond their least. */
const openRepeats = 4

const printable = characters(' ', '~')
const classes: Readonly<Record<string, readonly string[]>> = {
  d: characters('0', '9'),
  w: [...characters('0', '9'), ...characters('A', 'Z'), ...characters('a', 'z'), '_'],
  s: [' '],
}

/**
 * Reads a pattern in the words of regular expressions: texts, `[A-Z0-9]`, `[^…]`, `\d`, `\w`,
 * `.`, groups with `|`, and the repeats `{n}`, `{n,m}`, `?`, `*` and `+`.
 *
 * The texts of a sequence are numbered as the digits of a number whose places have
 * different bases, so that any one of a million million codes is found at once.
 *
 * @throws PatternError
 */
export function parsePattern(source: string): Pattern {
  const reader = new Reader(source.replace(/^\^/, '').replace(/(?<!\\)\$$/, ''))
  const pattern = alternatives(reader)
  if (!reader.done) throw new PatternError(`unexpected ${reader.peek()} at character ${reader.place}`)
  return pattern
}

class Reader {
  #at = 0
  readonly #characters: readonly string[]

  constructor(source: string) {
    this.#characters = [...source]
  }

  get done(): boolean {
    return this.#at >= this.#characters.length
  }

  get place(): number {
    return this.#at + 1
  }

  peek(): string {
    return this.#characters[this.#at] ?? 'the end'
  }

  take(): string {
    const next = this.#characters[this.#at++]
    if (next === undefined) throw new PatternError('the pattern ends too early')
    return next
  }

  skip(expected: string): boolean {
    if (this.done || this.#characters[this.#at] !== expected) return false
    this.#at++
    return true
  }
}

function alternatives(reader: Reader): Pattern {
  const branches = [concatenation(reader)]
  while (reader.skip('|')) branches.push(concatenation(reader))
  return branches.length === 1 && branches[0] ? branches[0] : oneOf(branches)
}

function concatenation(reader: Reader): Pattern {
  const parts: Pattern[] = []
  while (!reader.done && reader.peek() !== '|' && reader.peek() !== ')') parts.push(repeated(reader))
  return inTurn(parts)
}

function repeated(reader: Reader): Pattern {
  const part = atom(reader)
  const [least, most] = repeats(reader) ?? [1, 1]
  if (most > 1000) throw new PatternError(`a repeat of ${most} times is too long`)
  if (least > most) throw new PatternError(`a repeat from ${least} to ${most} times makes no sense`)
  const lengths = Array.from({ length: most - least + 1 }, (_, i) =>
    inTurn(Array.from({ length: least + i }, () => part)),
  )
  return lengths.length === 1 && lengths[0] ? lengths[0] : oneOf(lengths)
}

function repeats(reader: Reader): readonly [number, number] | undefined {
  if (reader.skip('?')) return [0, 1]
  if (reader.skip('*')) return [0, openRepeats]
  if (reader.skip('+')) return [1, 1 + openRepeats]
  if (!reader.skip('{')) return undefined
  let text = ''
  while (!reader.skip('}')) text += reader.take()
  const [, least, comma, most] = /^(\d+)(,)?(\d+)?$/.exec(text) ?? []
  if (least === undefined) throw new PatternError(`{${text}} is no repeat`)
  if (comma === undefined) return [Number(least), Number(least)]
  return [Number(least), most === undefined ? Number(least) + openRepeats : Number(most)]
}

function atom(reader: Reader): Pattern {
  const next = reader.take()
  if (next === '(') return group(reader)
  if (next === '[') return among(characterClass(reader))
  if (next === '.') return among(printable)
  if (next === '\\') return among(escaped(reader.take()))
  if ('*+?{'.includes(next)) throw new PatternError(`nothing to repeat before ${next} at character ${reader.place - 1}`)
  if (next === ')') throw new PatternError(`) without ( at character ${reader.place - 1}`)
  return among([next])
}

function group(reader: Reader): Pattern {
  if (reader.skip('?') && !reader.skip(':')) throw new PatternError('looking around is not supported in a pattern')
  const inner = alternatives(reader)
  if (!reader.skip(')')) throw new PatternError('( without )')
  return inner
}

function characterClass(reader: Reader): readonly string[] {
  const negated = reader.skip('^')
  const members = new Set<string>()
  while (!reader.skip(']')) {
    const first = reader.take()
    if (first === '\\') {
      for (const character of escaped(reader.take())) members.add(character)
      continue
    }
    if (first === '[' && reader.peek() === ':') {
      for (const character of namedClass(reader)) members.add(character)
      continue
    }
    if (reader.peek() === '-' && reader.skip('-')) {
      if (reader.peek() === ']') {
        members.add(first).add('-')
        continue
      }
      for (const character of characters(first, reader.take())) members.add(character)
      continue
    }
    members.add(first)
  }
  const list = negated ? printable.filter((character) => !members.has(character)) : [...members]
  if (list.length === 0) throw new PatternError('a class of characters is empty')
  return list
}

/** `[[:digit:]]` as PostgreSQL writes it. */
function namedClass(reader: Reader): readonly string[] {
  let name = ''
  while (!reader.skip(']')) name += reader.take()
  const named: Readonly<Record<string, readonly string[]>> = {
    ':digit:': characters('0', '9'),
    ':alpha:': [...characters('A', 'Z'), ...characters('a', 'z')],
    ':alnum:': [...characters('0', '9'), ...characters('A', 'Z'), ...characters('a', 'z')],
    ':upper:': characters('A', 'Z'),
    ':lower:': characters('a', 'z'),
    ':xdigit:': [...characters('0', '9'), ...characters('a', 'f')],
    ':space:': [' '],
  }
  const list = named[name]
  if (!list) throw new PatternError(`[${name}] is not a class of characters that is known here`)
  return list
}

function escaped(character: string): readonly string[] {
  const list = classes[character]
  if (list) return list
  if (/[a-z0-9]/i.test(character)) throw new PatternError(`\\${character} is not supported in a pattern`)
  return [character]
}

function characters(first: string, last: string): readonly string[] {
  const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0]
  if (to < from) throw new PatternError(`the range ${first}-${last} is empty`)
  return Array.from({ length: to - from + 1 }, (_, i) => String.fromCodePoint(from + i))
}

const most = Number.MAX_SAFE_INTEGER

function among(list: readonly string[]): Pattern {
  return { size: list.length, at: (index) => list[index] ?? '' }
}

function inTurn(parts: readonly Pattern[]): Pattern {
  const size = parts.reduce((product, part) => Math.min(most, product * part.size), 1)
  return {
    size,
    at(index) {
      let rest = index
      let text = ''
      for (let i = parts.length - 1; i >= 0; i--) {
        const part = parts[i] as Pattern
        const next = Math.floor(rest / part.size)
        text = part.at(rest - next * part.size) + text
        rest = next
      }
      return text
    },
  }
}

function oneOf(branches: readonly Pattern[]): Pattern {
  const size = branches.reduce((sum, branch) => Math.min(most, sum + branch.size), 0)
  return {
    size,
    at(index) {
      let rest = index
      for (const branch of branches) {
        if (rest < branch.size) return branch.at(rest)
        rest -= branch.size
      }
      return ''
    },
  }
}
