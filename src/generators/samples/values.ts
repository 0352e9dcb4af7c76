import { arrayLiteral } from '../copy-rows.js'
import type { Random } from '../random.js'
import { builtIn, edges } from './built-in-types.js'
import { joinRules, noRules, type Rules, type SampleType } from './model.js'
import { numberWithin, timeWithin } from './ordered.js'
import { sampleText } from './texts.js'

/**
 * How far from the everyday a value may be: `edge` asks for the rims of a type (empty,
 * infinite, largest), `plain` for nothing that any sensible condition could refuse.
 */
export type Flavour = 'ordinary' | 'edge' | 'plain'

export interface Draw {
  readonly random: Random
  readonly flavour: Flavour
}

/** A value of a type as PostgreSQL reads it; undefined when nothing is known about the type. */
export function sampleValue(type: SampleType, rules: Rules, draw: Draw): string | undefined {
  const allowed = rules.oneOf?.filter((value) => !rules.noneOf?.includes(value))
  if (allowed && allowed.length > 0) return pick(allowed, draw.random)
  const value = anyValue(type, rules, draw)
  if (value === undefined || !rules.noneOf?.includes(value)) return value
  return anyValue(type, rules, { ...draw, flavour: 'plain' })
}

function anyValue(type: SampleType, rules: Rules, draw: Draw): string | undefined {
  switch (type.kind) {
    case 'base':
      return baseValue(type.name, type.modifier, rules, draw)
    case 'enum':
      return type.labels.length > 0 ? pick(type.labels, draw.random) : undefined
    case 'domain':
      return sampleValue(type.base, joinRules(type.rules, rules), draw)
    case 'composite':
      return compositeValue(type.fields, draw)
    case 'array':
      return arrayValue(type.element, type.delimiter, draw)
    case 'range':
      return type.multi ? multirangeValue(type.subtype, draw) : rangeValue(type.subtype, draw)
  }
}

function baseValue(name: string, modifier: number, rules: Rules, draw: Draw): string | undefined {
  const bounded = rules.min !== undefined || rules.max !== undefined
  const rims = edges[name]
  if (draw.flavour === 'edge' && rims && !bounded) return pick(rims(modifier), draw.random)
  return (
    sampleText(name, modifier, rules, draw) ??
    numberWithin(name, modifier, rules, draw) ??
    timeWithin(name, rules, draw) ??
    builtIn[name]?.(draw.random, modifier)
  )
}

function compositeValue(fields: readonly SampleType[], draw: Draw): string | undefined {
  const values = fields.map((field) => (nothing(draw, field) ? null : sampleValue(field, noRules, draw)))
  if (values.includes(undefined)) return undefined
  return `(${values.map((value) => (value == null ? '' : `"${value.replace(/["\\]/g, '$&$&')}"`)).join(',')})`
}

function arrayValue(element: SampleType, delimiter: string, draw: Draw): string | undefined {
  if (draw.flavour === 'edge' && draw.random.chance(0.3)) return '{}'
  const length = 1 + draw.random.integer(3)
  const values = Array.from({ length }, () => sampleValue(element, noRules, draw))
  if (values.some((value) => value === undefined)) return undefined
  const literal = arrayLiteral(values as readonly string[])
  const separated = delimiter === ',' ? literal : `{${values.map((value) => `"${value}"`).join(delimiter)}}`
  return nothing(draw, element) ? `${separated.slice(0, -1)}${delimiter}NULL}` : separated
}

function nothing({ random, flavour }: Draw, type: SampleType): boolean {
  return flavour === 'edge' && !(type.kind === 'domain' && type.notNull) && random.chance(0.3)
}

function multirangeValue(subtype: SampleType, draw: Draw): string | undefined {
  if (draw.flavour === 'edge' && draw.random.chance(0.5)) return '{}'
  const range = rangeValue(subtype, draw)
  return range === undefined ? undefined : `{${range}}`
}

/** Both ends are the same, unless the subtype is one whose order is known here. */
function rangeValue(subtype: SampleType, draw: Draw): string | undefined {
  const { random, flavour } = draw
  if (flavour === 'edge') return pick(['empty', '(,)'], random)
  const plain: Draw = { random, flavour: 'plain' }
  const [a, b] = [sampleValue(subtype, noRules, plain), sampleValue(subtype, noRules, plain)]
  if (a === undefined || b === undefined) return undefined
  const [low, high] = ordered(subtype, a, b)
  return low === high ? `["${low}","${low}"]` : `["${low}","${high}")`
}

function ordered(subtype: SampleType, a: string, b: string): readonly [string, string] {
  const name = subtype.kind === 'base' ? subtype.name : ''
  if (/^(int\d|numeric|float\d)$/.test(name)) return Number(a) <= Number(b) ? [a, b] : [b, a]
  if (/^(date|timestamp|timestamptz)$/.test(name)) return a <= b ? [a, b] : [b, a]
  return [a, a]
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.integer(list.length)] as T
}
