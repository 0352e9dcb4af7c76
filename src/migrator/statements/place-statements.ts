import type { Statement } from './statements.js'
import type { Stretch } from './take-apart.js'
import { type Tokens, tokensOf } from './tokens.js'

/** A statement, and what it says without its formatting. */
export interface PlacedStatement {
  readonly statement: Statement
  readonly tokens: Tokens
}

/** Finds where the statements of a stretch begin and end; the parser counts in bytes of UTF-8. */
export function place({ sql, index: offset, trees, rows }: Stretch): readonly PlacedStatement[] {
  const bytes = Buffer.from(sql)
  let byte = 0
  let index = 0
  return trees.flatMap(({ stmt, stmt_location: start = 0, stmt_len: length }, i) => {
    index += bytes.toString('utf8', byte, start).length
    byte = start
    const raw = bytes.toString('utf8', start, length === undefined ? undefined : start + length)
    const tokens = tokensOf(raw)
    if (!tokens) return []
    const place = { sql: raw.slice(tokens.start, tokens.end), index: offset + index + tokens.start }
    const data = rows && i === trees.length - 1 ? { rows } : {}
    return [{ statement: { ...place, tree: stmt, ...data }, tokens }]
  })
}
