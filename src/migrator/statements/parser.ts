import type * as PgQuery from 'libpg-query'

/** PostgreSQL's own parser and scanner, as WebAssembly. */
export type Parser = Pick<typeof PgQuery, 'parseSync' | 'scanSync'>

/** The major version of PostgreSQL whose grammar libpg-query carries. */
export const parserMajor = 18

let loaded: Parser | undefined

/** Loads the parser, which takes about a tenth of a second the first time. */
export async function loadParser(): Promise<Parser> {
  if (loaded) return loaded
  const library = await import('libpg-query')
  await library.loadModule()
  loaded = library
  return library
}

/** The parser, for code that runs after somebody waited for `loadParser`. */
export function parser(): Parser {
  if (!loaded) throw new Error('the SQL parser is used before it is loaded')
  return loaded
}
