import { type WeightedChoice, weightedChoice } from '../distributions.js'
import type { Intent } from './departments.js'
import { intents } from './departments.js'
import { type Model, priceTable } from './prices.js'
import { type Version, versions } from './profiles.js'

/** Which models a version of the platform asks, in percent; a new version brings newer ones. */
const modelMix: Readonly<Record<Version, Readonly<Record<string, number>>>> = {
  'v1.8': { 'gpt-4-turbo': 25, 'gpt-4o': 30, 'claude-3-haiku': 25, 'gemini-1.5-pro': 12, 'mistral-small': 8 },
  'v1.9': { 'gpt-4o': 35, 'gpt-4o-mini': 15, 'claude-3-5-sonnet': 28, 'gemini-1.5-pro': 12, 'mistral-large': 10 },
  'v2.0': { 'gpt-4o': 18, 'gpt-4o-mini': 22, 'claude-3-5-sonnet': 30, 'gemini-2.0-flash': 18, 'mistral-large': 12 },
  'v2.1': {
    'gpt-4.1': 22,
    'gpt-4.1-mini': 18,
    'claude-sonnet-4': 30,
    'gemini-2.5-flash': 12,
    'gemini-2.5-pro': 8,
    'mistral-large': 10,
  },
}

/** The share of each model in the traffic of a version. */
export function modelShares(version: Version): Record<string, number> {
  const mix = modelMix[version]
  const total = Object.values(mix).reduce((sum, weight) => sum + weight, 0)
  return Object.fromEntries(Object.entries(mix).map(([model, weight]) => [model, weight / total]))
}

/** How a version compares with the others. */
export const versionTraits: Readonly<
  Record<Version, { readonly latency: number; readonly failures: number; readonly quality: number }>
> = {
  'v1.8': { latency: 1.06, failures: 1.15, quality: 79 },
  'v1.9': { latency: 1.02, failures: 1.05, quality: 82 },
  'v2.0': { latency: 0.98, failures: 1, quality: 85 },
  'v2.1': { latency: 0.94, failures: 0.9, quality: 88 },
}

export interface IntentTraits {
  /** Mean tokens of a first request: instructions, context and what the user asks. */
  readonly tokensInput: number
  /** Tokens of an answer, in the middle. */
  readonly tokensOutput: number
  readonly quality: number
  readonly temperature: number
}

const intentTraits: Readonly<Record<Intent, IntentTraits>> = {
  code_generation: { tokensInput: 2_400, tokensOutput: 185, quality: 0, temperature: 0.2 },
  customer_support: { tokensInput: 1_300, tokensOutput: 88, quality: 2, temperature: 0.4 },
  data_analysis: { tokensInput: 3_200, tokensOutput: 130, quality: -1, temperature: 0.1 },
  content_creation: { tokensInput: 900, tokensOutput: 190, quality: 1, temperature: 0.8 },
  automation: { tokensInput: 1_500, tokensOutput: 92, quality: 1, temperature: 0.1 },
  research: { tokensInput: 4_200, tokensOutput: 160, quality: -2, temperature: 0.5 },
  translation: { tokensInput: 800, tokensOutput: 120, quality: 3, temperature: 0.3 },
  general_assistance: { tokensInput: 700, tokensOutput: 96, quality: 1, temperature: 0.6 },
}

/** For each version the choice of its models, as indexes into the price table. */
export const modelChoices: readonly WeightedChoice[] = versions.map((version) =>
  weightedChoice(priceTable.models.map(({ name }) => modelMix[version][name] ?? 0)),
)

/** The intents' traits in the order of `intents`. */
export const traitsByIntent: readonly IntentTraits[] = intents.map((intent) => intentTraits[intent])

/** Milliseconds that a model takes for an answer of a length: to its first token, and from there to its last. */
export function answerMs({ firstTokenMs, tokensPerSecond }: Model, tokens: number): number {
  return firstTokenMs + (1000 * tokens) / tokensPerSecond
}

/** Where requests go while a provider is down: a model of another one, of about the same size. */
const substitutes: Readonly<Record<string, string>> = {
  'gpt-4-turbo': 'claude-3-haiku',
  'gpt-4o': 'claude-3-5-sonnet',
  'gpt-4o-mini': 'gemini-2.0-flash',
  'gpt-4.1': 'claude-sonnet-4',
  'gpt-4.1-mini': 'gemini-2.5-flash',
  'claude-3-haiku': 'gpt-4o-mini',
  'claude-3-5-sonnet': 'gpt-4o',
  'claude-sonnet-4': 'gpt-4.1',
  'gemini-1.5-pro': 'gpt-4o',
  'gemini-2.0-flash': 'gpt-4o-mini',
  'gemini-2.5-flash': 'gpt-4.1-mini',
  'gemini-2.5-pro': 'claude-sonnet-4',
  'mistral-large': 'gpt-4.1',
  'mistral-small': 'gpt-4o-mini',
}

/** The substitute of each model, as indexes into the price table. */
export const substituteOf: readonly number[] = priceTable.models.map(({ name }) =>
  priceTable.models.findIndex((model) => model.name === substitutes[name]),
)
