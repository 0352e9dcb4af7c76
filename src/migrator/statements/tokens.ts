import { parser } from './parser.js'

/** What a statement says, and where in its text it begins and ends. */
export interface Tokens {
  /** JavaScript string indexes into the scanned text. */
  readonly start: number
  readonly end: number
  /**
   * The tokens one after the other, without comments and white space, and in lower case
   * where PostgreSQL does not mind the case.
   */
  readonly normal: string
}

/** Scans one statement; undefined when there is nothing but comments. The parser has to be loaded. */
export function tokensOf(sql: string): Tokens | undefined {
  const scanned = parser()
    .scanSync(sql)
    .tokens.filter((token) => !comments.has(token.tokenName))
  const tokens = scanned.slice(scanned.findIndex((token) => token.text !== ';'))
  const [first] = tokens
  const last = tokens.at(-1)
  if (!first || !last) return undefined
  const place = placer(sql)
  return { start: place(first.start), end: place(last.end), normal: tokens.map(normalise).join('\n') }
}

const comments = new Set(['SQL_COMMENT', 'C_COMMENT'])

interface Token {
  readonly text: string
  readonly tokenName: string
  readonly keywordKind: number
}

/**
 * Keywords and names without quotes are folded as the server folds them; line endings
 * inside of strings change on the way through version control.
 */
function normalise({ text, tokenName, keywordKind }: Token): string {
  const folded = keywordKind > 0 || (tokenName === 'IDENT' && /^[^"]+$/.test(text))
  if (folded) return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
}

/** The scanner counts in bytes of UTF-8; JavaScript counts in UTF-16 units. */
function placer(sql: string): (byte: number) => number {
  if (Buffer.byteLength(sql) === sql.length) return (byte) => byte
  const bytes = Buffer.from(sql)
  return (byte) => bytes.toString('utf8', 0, byte).length
}
