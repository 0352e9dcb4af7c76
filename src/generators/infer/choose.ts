import { parseTime } from '../library/durations.js'
import { familyOf, lengthOf, plainType, scaleOf } from '../library/encoders.js'
import { PatternError, parsePattern } from '../library/pattern.js'
import type { AnyColumn } from '../library/spec.js'
import {
  joinRules,
  noRules,
  type PartitionRules,
  type Rules,
  type SampleColumn,
  type SampleTable,
} from '../samples/model.js'
import { type NamedColumn, numberByName, textByName } from './names.js'

/** A generator for a column, and why it was chosen. */
export interface Choice {
  readonly spec: AnyColumn
  readonly reason: string
}

/** The share of nulls in a column that may be null and whose name does not say more. */
const usualNulls = 0.1

/**
 * Chooses a generator for a column by what the catalog says of it: its conditions, its
 * type, the keys it is a part of, and its name.
 */
export function chooseColumn(table: SampleTable, column: SampleColumn): Choice {
  const rules = rulesOf(table, column)
  const choice = choose(table, column, rules)
  if (column.notNull || rules.notNull || isInKey(table, column.name) || choice.spec.generator === 'null') return choice
  const nulls = /_(at|on|date|time)$|^(deleted|archived|closed|ended|cancelled)/.test(column.name) ? 0.3 : usualNulls
  return { ...choice, spec: { ...choice.spec, nulls } }
}

/** The conditions on a column, those of the partitions that rows have to lie in included. */
export function rulesOf(table: SampleTable, column: SampleColumn): Rules {
  const own = column.type.kind === 'domain' ? joinRules(column.rules, column.type.rules) : column.rules
  return joinRules(own, partitionRules(table.partitions, column.name))
}

/** What all partitions together take, unless there is one for whatever the others leave. */
function partitionRules(partitions: readonly PartitionRules[] | undefined, column: string): Rules {
  const leaves = partitions ?? []
  const rules = leaves.map((leaf) => leaf[column])
  const known = rules.filter((rule) => rule !== undefined)
  if (known.length === 0 || known.length < leaves.length) return noRules
  const oneOf = known.flatMap((rule) => rule.oneOf ?? [])
  if (oneOf.length > 0) return { oneOf, notNull: true }
  const mins = known.flatMap((rule) => rule.min ?? [])
  const maxes = known.flatMap((rule) => rule.max ?? [])
  const [min] = [...mins].sort((a, b) => compare(a.value, b.value))
  const max = [...maxes].sort((a, b) => compare(a.value, b.value)).at(-1)
  return {
    ...(min && mins.length === known.length ? { min } : {}),
    ...(max && maxes.length === known.length ? { max } : {}),
    notNull: true,
  }
}

function compare(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)]
  return Number.isNaN(x) || Number.isNaN(y) ? (a < b ? -1 : 1) : x - y
}

function choose(table: SampleTable, column: SampleColumn, rules: Rules): Choice {
  const family = familyOf(column.type)
  const unique = isAlone(table, column.name)
  if (column.source !== 'given' && family === 'integer')
    return { spec: { generator: 'sequence' }, reason: 'the server counts it' }
  if (rules.sameAs !== undefined)
    return { spec: { generator: 'copy', column: rules.sameAs }, reason: `a check wants the value of ${rules.sameAs}` }
  const allowed = rules.oneOf?.filter((value) => !rules.noneOf?.includes(value))
  const pattern = patternOf(table, column)
  if (pattern !== undefined) return { spec: { generator: 'pattern', pattern }, reason: 'the pattern of its check' }
  if (allowed && allowed.length > 0)
    return { spec: { generator: 'choice', values: allowed }, reason: 'the values that its check admits' }
  if (rules.noneOf !== undefined || hasOpaqueCheck(table, column.name))
    return sampled('values that its check was found to admit')
  const plain = plainType(column.type)
  if (plain.kind === 'enum')
    return { spec: { generator: 'choice', values: plain.labels }, reason: 'the labels of its type' }
  if (family === 'text') return chooseText(column, rules, unique || isInKey(table, column.name), unique)
  if (family === 'integer' || family === 'decimal') return chooseNumber(table, column, rules, unique)
  if (family === 'time') return chooseTime(table, column, rules, unique)
  return chooseByType(column, family)
}

function chooseText(column: SampleColumn, rules: Rules, inKey: boolean, unique: boolean): Choice {
  const longest = Math.min(lengthOf(column.type), rules.maxLength ?? Number.POSITIVE_INFINITY)
  const shortest = rules.minLength ?? 0
  const named = textByName(column.name)
  if (rules.min || rules.max) return sampled('a comparison of texts bounds it')
  if (unique && /e_?mail/.test(column.name) && longest >= 24) {
    return {
      spec: { generator: 'template', text: 'user{row}@example.com' },
      reason: 'an e-mail address, by its name; unique',
    }
  }
  if (inKey) return keyText(column.name, shortest, longest)
  if (named && fits(named, shortest, longest)) return { spec: named.spec, reason: `${named.meaning}, by its name` }
  if (longest < 40 || shortest > 3)
    return {
      spec: { generator: 'pattern', pattern: letters(Math.max(1, shortest), longest) },
      reason: `a text of ${shortest > 3 ? `at least ${shortest}` : `at most ${longest}`} characters`,
    }
  return { spec: { generator: 'words', min: 2, max: 8 }, reason: 'a text' }
}

/** Texts of a key are codes, because sentences repeat themselves. */
function keyText(name: string, shortest: number, longest: number): Choice {
  const reason = 'part of a key, so a code of which there are many'
  const isWord = /slug|name|title|login|handle/.test(name)
  if (shortest <= 9 && longest >= 9)
    return { spec: { generator: 'pattern', pattern: isWord ? '[a-z]{5}-[a-z]{3}' : '[A-Z]{3}-[0-9]{5}' }, reason }
  const length = Math.max(shortest, Math.min(longest, 12))
  return { spec: { generator: 'pattern', pattern: `[A-Z0-9]{${length}}` }, reason }
}

function letters(shortest: number, longest: number): string {
  const most = Math.min(longest, Math.max(shortest, 12))
  return shortest >= most ? `[a-z]{${most}}` : `[a-z]{${shortest},${most}}`
}

function fits({ spec }: NamedColumn, shortest: number, longest: number): boolean {
  if (shortest > 3) return false
  if (spec.generator === 'words' || spec.generator === 'faker') return longest >= 12
  if (spec.generator === 'pattern') return longest >= 32 || (String(spec['pattern']).length < 20 && longest >= 9)
  return longest >= 8
}

function chooseNumber(table: SampleTable, column: SampleColumn, rules: Rules, unique: boolean): Choice {
  const isWhole = familyOf(column.type) === 'integer' || scaleOf(column.type) === 0
  const [least, greatest] = bounds(column)
  const step = isWhole ? 1 : 10 ** -(scaleOf(column.type) ?? 2)
  const min = limit(rules.min, least, step)
  const max = limit(rules.max, greatest, -step)
  const isBounded = rules.min !== undefined && rules.max !== undefined
  if (unique) {
    if (isWhole && !isBounded && (rules.min === undefined || min <= 1))
      return { spec: { generator: 'sequence' }, reason: 'unique, so it counts' }
    return {
      spec: range(isWhole, Math.max(min, rules.min ? min : 1), Math.min(max, rules.max ? max : 1_000_000_000)),
      reason: 'unique, so one of many numbers',
    }
  }
  const named = isInKey(table, column.name) ? undefined : numberByName(column.name)
  const narrowed = named && narrow(named.spec, min, max, isWhole)
  if (named && narrowed) return { spec: narrowed, reason: `${named.meaning}, by its name` }
  const low = rules.min ? min : Math.max(min, rules.max ? Math.min(1, max) : 1)
  const high = rules.max ? max : Math.min(max, Math.max(low, 0) + 1000)
  return {
    spec: range(isWhole, Math.min(low, high), high),
    reason: rules.min || rules.max ? 'a number within its check' : 'a number',
  }
}

function range(isWhole: boolean, min: number, max: number): AnyColumn {
  return isWhole
    ? { generator: 'integer', min: Math.ceil(min), max: Math.floor(max) }
    : { generator: 'decimal', min, max }
}

/** A generator by name, kept within the bounds of the column; undefined when it does not fit. */
function narrow(spec: AnyColumn, min: number, max: number, isWhole: boolean): AnyColumn | undefined {
  const low = Math.max(Number(spec['min'] ?? (spec.generator === 'log-normal' ? 0 : Number.NEGATIVE_INFINITY)), min)
  const high = Math.min(Number(spec['max'] ?? Number.POSITIVE_INFINITY), max)
  if (!(low < high)) return undefined
  if (spec.generator === 'integer' || spec.generator === 'decimal') return range(isWhole, low, high)
  const middle = Number(spec['median'] ?? spec['mean'])
  if (middle <= low || middle >= high) return undefined
  return { ...spec, ...(low > 0 ? { min: low } : {}), ...(Number.isFinite(high) ? { max: high } : {}) }
}

function limit(bound: Rules['min'], otherwise: number, step: number): number {
  const value = Number(bound?.value)
  if (!bound || Number.isNaN(value)) return otherwise
  const inside = bound.inclusive ? value : value + step
  return step > 0 ? Math.max(inside, otherwise) : Math.min(inside, otherwise)
}

const integerBounds: Readonly<Record<string, readonly [number, number]>> = {
  int2: [-32_768, 32_767],
  int4: [-2_147_483_648, 2_147_483_647],
  oid: [0, 4_294_967_295],
}

function bounds({ type }: SampleColumn): readonly [number, number] {
  const plain = plainType(type)
  if (plain.kind !== 'base') return [0, 1000]
  if (plain.name === 'numeric' && plain.modifier >= 4) {
    const digits = (plain.modifier - 4) >> 16
    const scale = scaleOf(type) ?? 0
    const greatest = Math.min(10 ** (digits - scale) - 10 ** -scale, 9_000_000_000)
    return [-greatest, greatest]
  }
  return integerBounds[plain.name] ?? [-9_000_000_000_000, 9_000_000_000_000]
}

function chooseTime(table: SampleTable, column: SampleColumn, rules: Rules, unique: boolean): Choice {
  if (rules.above !== undefined)
    return {
      spec: { generator: 'after', time: rules.above, delay: '1 day' },
      reason: `a check wants it after ${rules.above}`,
    }
  const limits = { ...isoLimit('from', rules.min?.value), ...isoLimit('to', rules.max?.value) }
  if (/birth|dob/.test(column.name)) {
    return {
      spec: { generator: 'timestamps', from: '1950-01-01', to: '2005-01-01', order: 'random', ...limits },
      reason: 'a date of birth, by its name',
    }
  }
  const lead = leadColumn(table)
  const isLead = lead === undefined || lead.name === column.name
  if (
    !isLead &&
    !unique &&
    Object.keys(limits).length === 0 &&
    plainName(column) !== 'time' &&
    isReadable(table, lead)
  ) {
    const delay = /updated|modified|changed|last|seen/.test(column.name) ? '7 days' : '1 day'
    return { spec: { generator: 'after', time: lead.name, delay }, reason: `a time that follows ${lead.name}` }
  }
  const spec: AnyColumn = { generator: 'timestamps', rhythm: 'business', ...limits }
  return {
    spec,
    reason: Object.keys(limits).length > 0 ? 'times within its bounds' : 'times within the window of the run',
  }
}

/** The time that the others of a row follow: when it was created. */
function leadColumn({ columns }: SampleTable): SampleColumn | undefined {
  const times = columns.filter(({ type }) => familyOf(type) === 'time' && plainOf(type) !== 'time')
  return (
    times.find(({ name }) => /created|inserted|started|occurred|ordered|timestamp|registered/.test(name)) ??
    times.find(({ notNull }) => notNull) ??
    times[0]
  )
}

function isReadable(table: SampleTable, lead: SampleColumn): boolean {
  return !table.foreignKeys.some(({ columns }) => columns.includes(lead.name))
}

function plainOf(type: SampleColumn['type']): string {
  const plain = plainType(type)
  return plain.kind === 'base' ? plain.name : plain.kind
}

function plainName(column: SampleColumn): string {
  return plainOf(column.type)
}

function isoLimit(name: 'from' | 'to', value: string | undefined): Record<string, string> {
  const text = value?.replace(' ', 'T').replace(/([+-]\d{2})$/, '$1:00')
  return text === undefined || Number.isNaN(parseTime(text)) ? {} : { [name]: text }
}

function chooseByType(column: SampleColumn, family: string): Choice {
  if (family === 'boolean') {
    const share = /^(is_|has_)?(deleted|archived|blocked|disabled|failed|test)/.test(column.name)
      ? 0.1
      : /active|enabled|verified|success/.test(column.name)
        ? 0.9
        : 0.5
    return { spec: { generator: 'boolean', share }, reason: 'true or false' }
  }
  if (family === 'uuid') return { spec: { generator: 'uuid' }, reason: 'a UUID' }
  if (family === 'json') {
    const fields = {
      source: { generator: 'choice', values: ['web', 'api', 'import'] },
      attempt: { generator: 'integer', max: 5 },
    }
    return { spec: { generator: 'json', fields }, reason: 'a JSON object to begin with: write down what yours hold' }
  }
  return sampled(`everyday values of type ${column.typeName}`)
}

export function sampled(reason: string): Choice {
  return { spec: { generator: 'sample' }, reason }
}

/** `check (code ~ '^[A-Z]{3}$')`, when it is all that is asked and the pattern is one that can be counted. */
function patternOf({ checks }: SampleTable, column: SampleColumn): string | undefined {
  if (familyOf(column.type) !== 'text' || plainType(column.type).kind === 'enum') return undefined
  const own = checks.filter(({ columns }) => columns.join() === column.name)
  const [only] = own
  if (own.length !== 1 || !only) return undefined
  const [, source] = /^\(*"?[^"()]+"?\)?(?:::text)?\)? ~ '((?:[^']|'')+)'::text\)*$/.exec(only.condition) ?? []
  if (source === undefined || !source.startsWith('^') || !source.endsWith('$')) return undefined
  try {
    const pattern = parsePattern(source.replaceAll("''", "'"))
    return pattern.at(pattern.size - 1).length <= lengthOf(column.type) ? source : undefined
  } catch (error) {
    if (error instanceof PatternError) return undefined
    throw error
  }
}

/** A condition on the column alone that says nothing to the reader of conditions. */
function hasOpaqueCheck({ checks }: SampleTable, name: string): boolean {
  return checks.some(({ columns, isRead }) => !isRead && columns.join() === name)
}

/** The column is a key by itself. */
export function isAlone(table: SampleTable, name: string): boolean {
  return [...table.uniques, ...table.looseUniques].some((columns) => columns.length === 1 && columns[0] === name)
}

/** The column is part of a key. */
export function isInKey(table: SampleTable, name: string): boolean {
  return [...table.uniques, ...table.looseUniques].some((columns) => columns.includes(name))
}
