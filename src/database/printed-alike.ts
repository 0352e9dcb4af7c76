/**
 * A definition in the words that PostgreSQL has for it once it was dumped and restored.
 *
 * Some expressions are printed in one way when they were made, and in another once the server has read
 * its own print, after which they stay as they are. Both ways say the same:
 *
 * - an array that is cast as a whole, `(ARRAY['a'::character varying])::text[]`, comes back as one whose
 *   elements are cast, `ARRAY[('a'::character varying)::text]`: `status in ('a', 'b')` on a varchar;
 * - `((a AND b) AND c)` comes back as `(a AND b AND c)`: `kind not in (a, b, c)` of columns.
 */
export function printedAlike<T>(definition: T): T | string {
  if (typeof definition !== 'string' || !reworded.test(definition)) return definition
  const pieces = parse(definition)
  return pieces ? print(pieces) : definition
}

/** What every text has in it that is printed in other words; most have not. */
const reworded = /\(ARRAY\[|\) (?:AND|OR) /

/** A text as it stands, or what is inside of a pair of brackets. */
type Piece = string | Group
interface Group {
  readonly open: '(' | '['
  readonly pieces: readonly Piece[]
}

/** A literal, a quoted name, a bracket, or what lies between them. */
const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[[\]()]|[^'"[\]()]+|['"]/g

/** Undefined when its brackets do not match, as in the body of a function. */
function parse(text: string): Piece[] | undefined {
  const outer: Piece[][] = []
  let pieces: Piece[] = []
  const opened: Group[] = []
  for (const [part] of text.matchAll(token)) {
    if (part === '(' || part === '[') {
      const inner: Piece[] = []
      const group: Group = { open: part, pieces: inner }
      pieces.push(group)
      opened.push(group)
      outer.push(pieces)
      pieces = inner
    } else if (part === ')' || part === ']') {
      if (opened.pop()?.open !== (part === ')' ? '(' : '[')) return undefined
      pieces = outer.pop() ?? []
    } else pieces.push(part)
  }
  return opened.length === 0 ? pieces : undefined
}

function print(pieces: readonly Piece[]): string {
  let text = ''
  for (let at = 0; at < pieces.length; at++) {
    const cast = castOfArray(pieces, at)
    text += cast ? cast.text : printOne(pieces[at] as Piece)
    at += cast ? cast.length - 1 : 0
  }
  return text
}

function printOne(piece: Piece): string {
  if (typeof piece === 'string') return piece
  return piece.open === '(' ? `(${print(flat(piece.pieces))})` : `[${print(piece.pieces)}]`
}

/** An array, its cast and the brackets of that, with the cast at each element; undefined when it is none. */
function castOfArray(pieces: readonly Piece[], at: number): { text: string; length: number } | undefined {
  const elements = elementsOf(pieces[at])
  if (!elements) return undefined
  const end = pieces.findIndex((piece, i) => i > at && typeof piece === 'object')
  const brackets = pieces[end]
  const cast = pieces.slice(at + 1, end).join('')
  const isArray = typeof brackets === 'object' && brackets.open === '[' && brackets.pieces.length === 0
  if (!isArray || !/^::[\w ."]+$/.test(cast)) return undefined
  return { text: `ARRAY[${elements.map((element) => `(${print(element)})${cast}`).join(', ')}]`, length: end - at + 1 }
}

/** Of `(ARRAY[…])` what is in the array; of an array of arrays the innermost would be cast. */
function elementsOf(piece: Piece | undefined): Piece[][] | undefined {
  if (typeof piece !== 'object' || piece.pieces.length !== 2 || piece.pieces[0] !== 'ARRAY') return undefined
  const [, array] = piece.pieces
  if (typeof array !== 'object' || array.open !== '[') return undefined
  const elements: Piece[][] = [[]]
  for (const part of array.pieces) {
    const [first, ...more] = isPlain(part) ? part.split(', ') : [part]
    if (first) elements.at(-1)?.push(first)
    for (const other of more) elements.push(other === '' ? [] : [other])
  }
  return elements.some(([first]) => first === 'ARRAY') ? undefined : elements
}

/** What is joined by AND inside of brackets, and they by AND to what follows, is joined without them. */
function flat(pieces: readonly Piece[]): readonly Piece[] {
  const [first, next] = pieces
  if (typeof first !== 'object' || first.open !== '(' || !isPlain(next)) return pieces
  const joint = /^ (?:AND|OR) /.exec(next)?.[0]
  const isJoined = joint !== undefined && first.pieces.some((piece) => isPlain(piece) && piece.includes(joint))
  return isJoined ? flat([...first.pieces, ...pieces.slice(1)]) : pieces
}

function isPlain(piece: Piece | undefined): piece is string {
  return typeof piece === 'string' && !/^['"]/.test(piece)
}
