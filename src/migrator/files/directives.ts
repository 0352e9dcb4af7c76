import { nearest } from '../../suggest.js'
import { type Location, locate } from './location.js'

/** A table, or one column of it, that a directive names. */
export interface Target {
  readonly table: string
  /** Undefined when the whole table is meant. */
  readonly column: string | undefined
}

/** What the header comment of a migration file asks for. */
export interface Directives {
  /** The statements run one by one, each committed by itself. */
  readonly noTransaction: boolean
  /** Existing values that the migration alters on purpose. */
  readonly changes: readonly Target[]
  /** Existing tables and columns that the migration drops on purpose. */
  readonly drops: readonly Target[]
  /** Extensions that the server has to offer. */
  readonly requires: readonly string[]
  /** Why it cannot be taken back. */
  readonly irreversible?: string
  /** Why values that it removes or alters do not come back with its down. */
  readonly lossy?: string
}

/** Something wrong with a file, found before anything runs. */
export interface Problem {
  readonly message: string
  readonly location?: Location
}

export interface ParsedDirectives {
  readonly directives: Directives
  readonly problems: readonly Problem[]
}

const words = ['no-transaction', 'changes', 'drops', 'requires', 'irreversible', 'lossy', 'allow', 'backfill'] as const
const directiveLine = /^[ \t]*(?:--|\/\/)[ \t]*obs:[ \t]*(.*?)[ \t]*$/

/**
 * Reads the directives of a migration file: comment lines `-- obs: …` (`// obs: …` in
 * TypeScript) above the first statement, one directive a line.
 *
 * An unknown directive is a problem, and so is a known one below the first statement,
 * because it would have no effect there.
 */
export function parseDirectives(file: string, text: string): ParsedDirectives {
  if (!text.includes('obs:')) return nothingAsked
  const found: { word: string; operand: string }[] = []
  const problems: Problem[] = []
  const header = headerLength(text)
  for (const { line, index } of linesOf(text)) {
    const content = directiveLine.exec(line)?.[1]
    if (content === undefined) continue
    const [word = '', ...operands] = content.split(/\s+/)
    const directive = { word, operand: operands.join(' ') }
    const problem = index < header ? complaint(directive) : complaintInBody(directive)
    if (problem) problems.push({ message: problem, location: locate(file, text, index + line.indexOf('obs:')) })
    else if (index < header) found.push(directive)
  }
  return { directives: gather(found), problems }
}

const nothingAsked: ParsedDirectives = { directives: gather([]), problems: [] }

function complaint({ word, operand }: { word: string; operand: string }): string | undefined {
  if (word === 'no-transaction') return operand ? 'the directive no-transaction takes nothing after it' : undefined
  // What lint is told to be silent about says nothing about how the file runs; lint itself judges it.
  if (word === 'allow') return undefined
  // It belongs to one statement and is judged together with that.
  if (word === 'backfill') return undefined
  if (word === 'requires') return operand ? undefined : 'the directive requires names no extension'
  if (word === 'irreversible' || word === 'lossy') {
    return operand ? undefined : `the directive ${word} says why: -- obs: ${word} <reason>`
  }
  if (word === 'changes' || word === 'drops') {
    return parseTarget(operand) ? undefined : `the directive ${word} names a table or table.column`
  }
  const guess = nearest(word, words)
  return `unknown directive ${JSON.stringify(word)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`
}

function complaintInBody({ word }: { word: string }): string | undefined {
  if (word === 'allow' || word === 'backfill' || !words.some((known) => known === word)) return undefined
  return `the directive ${word} has no effect here; move it above the first statement`
}

function gather(found: readonly { word: string; operand: string }[]): Directives {
  const operands = (word: string) => found.filter((one) => one.word === word).map((one) => one.operand)
  const targets = (word: string) => operands(word).flatMap((operand) => parseTarget(operand) ?? [])
  const reason = (word: 'irreversible' | 'lossy') => {
    const reasons = operands(word)
    return reasons.length > 0 ? { [word]: reasons.join('; ') } : {}
  }
  return {
    noTransaction: operands('no-transaction').length > 0,
    changes: targets('changes'),
    drops: targets('drops'),
    requires: operands('requires'),
    ...reason('irreversible'),
    ...reason('lossy'),
  }
}

/** `traces`, `traces.cost_usd`, `"Odd Name"."Column"`; unquoted names are folded to lower case, as SQL does. */
function parseTarget(text: string): Target | undefined {
  const name = '("(?:[^"]|"")+"|[^".\\s]+)'
  const match = new RegExp(`^${name}(?:\\.${name})?$`).exec(text)
  if (!match?.[1]) return undefined
  return { table: unquote(match[1]), column: match[2] === undefined ? undefined : unquote(match[2]) }
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}

/** How many characters of the text are blank or comment before the first statement. */
export function headerLength(text: string): number {
  return /^(?:\s+|--[^\r\n]*|\/\/[^\r\n]*|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0].length ?? 0
}

function* linesOf(text: string): Iterable<{ line: string; index: number }> {
  let index = 0
  for (const line of text.split('\n')) {
    yield { line: line.replace(/\r$/, ''), index }
    index += line.length + 1
  }
}
