import type { Faker } from '@faker-js/faker'
import { nearest } from '../../suggest.js'
import type { Value } from './generator.js'

type Modules = Readonly<Record<string, Readonly<Record<string, (...parameters: readonly unknown[]) => unknown>>>>

/** Modules whose methods need other functions or objects to work on. */
const unfit = new Set(['helpers', 'fakerCore', 'definitions', 'rawDefinitions'])

/** What is wrong with the name of a method or a locale; undefined when nothing is. */
export async function checkMethod(method: string, locale: string): Promise<string | undefined> {
  const faker = await loadFaker(locale)
  if (!faker) return `knows no locale ${JSON.stringify(locale)}`
  const known = methodsOf(faker)
  if (known.includes(method)) return undefined
  const guess = nearest(method, known)
  return `knows no method ${JSON.stringify(method)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`
}

/** The names of the methods that make values by themselves. */
export function methodsOf(faker: Faker): readonly string[] {
  const modules = faker as unknown as Modules
  return Object.keys(modules)
    .filter((name) => !unfit.has(name) && !name.startsWith('_') && typeof modules[name] === 'object')
    .flatMap((name) => ownMethods(modules[name]).map((method) => `${name}.${method}`))
    .sort()
}

function ownMethods(module: object | undefined): readonly string[] {
  if (!module) return []
  const prototype = Object.getPrototypeOf(module) as object
  const names = [
    ...Object.getOwnPropertyNames(module),
    ...(prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype)),
  ]
  return [...new Set(names)].filter(
    (name) => name !== 'constructor' && typeof (module as Readonly<Record<string, unknown>>)[name] === 'function',
  )
}

export interface FakerCall {
  readonly method: string
  readonly arguments: readonly unknown[]
  readonly locale: string
  readonly count: number
  readonly seed: number
  readonly asOf: Date
}

/** Different values of a method, the same for the same seed. */
export async function callFaker(call: FakerCall): Promise<readonly Value[]> {
  const faker = await loadFaker(call.locale)
  if (!faker) return []
  faker.seed(call.seed)
  faker.setDefaultRefDate(call.asOf)
  const [module = '', method = ''] = call.method.split('.')
  const made = new Map<string, Value>()
  for (let i = 0; i < call.count; i++) {
    const value = (faker as unknown as Modules)[module]?.[method]?.(...call.arguments) as Value
    made.set(typeof value === 'object' ? JSON.stringify(value) : String(value), value)
  }
  return [...made.values()]
}

async function loadFaker(locale: string): Promise<Faker | undefined> {
  const [{ Faker }, locales] = await Promise.all([import('@faker-js/faker'), localesOf()])
  const definitions = locales[locale]
  if (!definitions) return undefined
  const { en, base } = locales
  // An instance of its own: seeding it does not disturb anybody else's.
  return new Faker({ locale: [definitions, en, base].filter((one) => one !== undefined) })
}

type Definitions = ConstructorParameters<typeof Faker>[0] extends { locale: infer L }
  ? Exclude<L extends readonly (infer D)[] ? D : L, readonly unknown[]>
  : never

async function localesOf(): Promise<Readonly<Record<string, Definitions>>> {
  const { allLocales } = await import('@faker-js/faker')
  return allLocales as unknown as Readonly<Record<string, Definitions>>
}
