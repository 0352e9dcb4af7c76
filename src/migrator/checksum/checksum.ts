import { hash } from 'node:crypto'
import type { Script } from '../migration.js'
import { loadParser } from '../statements/parser.js'
import { type PlacedStatement, place } from '../statements/place-statements.js'
import { takeApart } from '../statements/take-apart.js'

/**
 * SHA-256 over the text of a migration file, in hexadecimal.
 *
 * Line endings, a byte order mark and spaces at the end of a line do not count: they
 * change on the way through editors and version control without changing the meaning.
 */
export function textChecksum(text: string): string {
  return sha256(normalise(text))
}

function normalise(text: string): string {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]+$/gm, '')
    .trimEnd()
}

/**
 * What the history keeps of an SQL file: one checksum over its tokens, which comments
 * and formatting do not touch, and one over its text, which is compared first because
 * it needs no parser.
 */
export function tokenChecksum(text: string, statements: readonly PlacedStatement[]): string {
  return `tokens:${sha256(statements.map(normalOf).join('\0'))} text:${textChecksum(text)}`
}

function normalOf({ statement, tokens }: PlacedStatement): string {
  return statement.rows ? `${tokens.normal}\n${statement.rows.text.replace(/\r\n/g, '\n')}` : tokens.normal
}

function sha256(text: string): string {
  return hash('sha256', text)
}

/**
 * What the history keeps to tell later whether a file changed: for SQL the checksums of
 * its tokens and its text, for anything else, and for SQL that does not parse, of its
 * text alone.
 */
export async function checksumOf(script: Script): Promise<string> {
  if (script.run) return script.checksum
  await loadParser()
  return sqlChecksum(script.text) ?? script.checksum
}

function sqlChecksum(text: string): string | undefined {
  const { stretches, mistake } = takeApart(text)
  return mistake ? undefined : tokenChecksum(text, stretches.flatMap(place))
}

/**
 * True when a file says what it said when `stored` was written into the history.
 *
 * A stored checksum without `tokens:` is over the text: that of a TypeScript file, or
 * written by an older obs.
 *
 * The parser has to be loaded when `needsParser`.
 */
export function isSame(script: Script, stored: string): boolean {
  if (stored === script.checksum || stored.endsWith(` text:${script.checksum}`)) return true
  if (!needsParser(script, stored)) return false
  return tokensIn(sqlChecksum(script.text)) === tokensIn(stored)
}

/** True when only the tokens can tell whether the file changed. */
export function needsParser(script: Script, stored: string): boolean {
  const sameText = stored.endsWith(script.checksum)
  return !sameText && !script.run && tokensIn(stored) !== undefined
}

function tokensIn(stored: string | undefined): string | undefined {
  return /^tokens:([0-9a-f]{64}) /.exec(stored ?? '')?.[1]
}
