import { type WeightedChoice, weightedChoice } from '../distributions.js'
import type { Intent } from './departments.js'
import { intents } from './departments.js'
import { priceTable } from './prices.js'
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
  readonly latency: number
  /** Mean tokens of a request and of its answer. */
  readonly tokensInput: number
  readonly tokensOutput: number
  readonly quality: number
  readonly temperature: number
}

const intentTraits: Readonly<Record<Intent, IntentTraits>> = {
  code_generation: { latency: 1.2, tokensInput: 2_400, tokensOutput: 900, quality: 0, temperature: 0.2 },
  customer_support: { latency: 0.8, tokensInput: 1_300, tokensOutput: 280, quality: 2, temperature: 0.4 },
  data_analysis: { latency: 1.15, tokensInput: 3_200, tokensOutput: 600, quality: -1, temperature: 0.1 },
  content_creation: { latency: 1.1, tokensInput: 900, tokensOutput: 950, quality: 1, temperature: 0.8 },
  automation: { latency: 0.85, tokensInput: 1_500, tokensOutput: 300, quality: 1, temperature: 0.1 },
  research: { latency: 1.25, tokensInput: 4_200, tokensOutput: 800, quality: -2, temperature: 0.5 },
  translation: { latency: 0.85, tokensInput: 800, tokensOutput: 700, quality: 3, temperature: 0.3 },
  general_assistance: { latency: 0.9, tokensInput: 700, tokensOutput: 320, quality: 1, temperature: 0.6 },
}

/** For each version the choice of its models, as indexes into the price table. */
export const modelChoices: readonly WeightedChoice[] = versions.map((version) =>
  weightedChoice(priceTable.models.map(({ name }) => modelMix[version][name] ?? 0)),
)

/** The intents' traits in the order of `intents`. */
export const traitsByIntent: readonly IntentTraits[] = intents.map((intent) => intentTraits[intent])
