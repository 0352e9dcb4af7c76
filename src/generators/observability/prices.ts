/** A price list on a day: US dollars per 1,000 tokens. */
export interface PriceTable {
  /** The day the public list prices were taken. */
  readonly asOf: string
  readonly models: readonly Model[]
}

export interface Model {
  /** What requests ask for. */
  readonly name: string
  /** The dated model that answers. */
  readonly responseName: string
  readonly provider: 'openai' | 'anthropic' | 'google' | 'mistral'
  /** Millionths of a dollar per 1,000 input tokens: whole numbers, so that costs are exact. */
  readonly inputMicros: number
  /** The same for tokens that the provider had in its cache; undefined where it has none. */
  readonly cachedMicros?: number
  readonly outputMicros: number
  /** Milliseconds until the first token of an answer, in the middle. */
  readonly firstTokenMs: number
  /** How fast the others follow. */
  readonly tokensPerSecond: number
  /** The share of the output tokens that a model thinks with and does not show. */
  readonly reasoning?: number
}

export const priceTable: PriceTable = {
  asOf: '2025-07-01',
  models: [
    model('gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'openai', [10_000, undefined, 30_000], [780, 38]),
    model('gpt-4o', 'gpt-4o-2024-08-06', 'openai', [2_500, 1_250, 10_000], [520, 82]),
    model('gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'openai', [150, 75, 600], [430, 105]),
    model('gpt-4.1', 'gpt-4.1-2025-04-14', 'openai', [2_000, 500, 8_000], [560, 84]),
    model('gpt-4.1-mini', 'gpt-4.1-mini-2025-04-14', 'openai', [400, 100, 1_600], [430, 108]),
    model('claude-3-haiku', 'claude-3-haiku-20240307', 'anthropic', [250, 30, 1_250], [480, 118]),
    model('claude-3-5-sonnet', 'claude-3-5-sonnet-20241022', 'anthropic', [3_000, 300, 15_000], [760, 66]),
    model('claude-sonnet-4', 'claude-sonnet-4-20250514', 'anthropic', [3_000, 300, 15_000], [820, 72]),
    model('gemini-1.5-pro', 'gemini-1.5-pro-002', 'google', [1_250, undefined, 5_000], [790, 58]),
    model('gemini-2.0-flash', 'gemini-2.0-flash-001', 'google', [100, 25, 400], [380, 165]),
    model('gemini-2.5-flash', 'gemini-2.5-flash', 'google', [300, 75, 2_500], [420, 190], 0.35),
    model('gemini-2.5-pro', 'gemini-2.5-pro', 'google', [1_250, 310, 10_000], [1_050, 120], 0.5),
    model('mistral-large', 'mistral-large-2411', 'mistral', [2_000, undefined, 6_000], [610, 52]),
    model('mistral-small', 'mistral-small-2503', 'mistral', [100, undefined, 300], [330, 115]),
  ],
}

function model(
  name: string,
  responseName: string,
  provider: Model['provider'],
  [inputMicros, cachedMicros, outputMicros]: readonly [number, number | undefined, number],
  [firstTokenMs, tokensPerSecond]: readonly [number, number],
  reasoning?: number,
): Model {
  return {
    ...{ name, responseName, provider, inputMicros, outputMicros, firstTokenMs, tokensPerSecond },
    ...(cachedMicros === undefined ? {} : { cachedMicros }),
    ...(reasoning === undefined ? {} : { reasoning }),
  }
}

/**
 * What a request cost, in millionths of a dollar; `cached` of its input tokens came from the provider's cache.
 *
 * Equal to PostgreSQL's
 * `round(((tokens_input - cached) * input + cached * cached_input + tokens_output * output) / 1000, 6)`
 * on numeric: the sum is exact in both, and both round a half away from zero. Exact in
 * a double up to 10¹¹ tokens.
 */
export function costMicros(model: Model, tokensInput: number, cached: number, tokensOutput: number): number {
  const { inputMicros, cachedMicros = inputMicros, outputMicros } = model
  const thousandths = (tokensInput - cached) * inputMicros + cached * cachedMicros + tokensOutput * outputMicros
  return Math.floor((thousandths + 500) / 1000)
}

/** Dollars per 1,000 tokens. */
export interface ModelPrice {
  readonly input: number
  readonly cached_input: number
  readonly output: number
}

/** The prices as they go into reports and SQL, by model; a model without a cache has one price for input. */
export function pricesPerThousand(): Record<string, ModelPrice> {
  return Object.fromEntries(
    priceTable.models.map(({ name, inputMicros, cachedMicros = inputMicros, outputMicros }) => [
      name,
      { input: inputMicros / 1_000_000, cached_input: cachedMicros / 1_000_000, output: outputMicros / 1_000_000 },
    ]),
  )
}
