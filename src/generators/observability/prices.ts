/** A price list on a day: US dollars per 1,000 tokens. */
export interface PriceTable {
  /** The day the public list prices were taken. */
  readonly asOf: string
  readonly models: readonly Model[]
}

export interface Model {
  readonly name: string
  readonly provider: 'openai' | 'anthropic' | 'google' | 'mistral'
  /** Millionths of a dollar per 1,000 input tokens: whole numbers, so that costs are exact. */
  readonly inputMicros: number
  readonly outputMicros: number
  /** How long the model takes relative to the others. */
  readonly pace: number
}

export const priceTable: PriceTable = {
  asOf: '2025-07-01',
  models: [
    { name: 'gpt-4-turbo', provider: 'openai', inputMicros: 10_000, outputMicros: 30_000, pace: 1.45 },
    { name: 'gpt-4o', provider: 'openai', inputMicros: 2_500, outputMicros: 10_000, pace: 0.95 },
    { name: 'gpt-4o-mini', provider: 'openai', inputMicros: 150, outputMicros: 600, pace: 0.7 },
    { name: 'gpt-4.1', provider: 'openai', inputMicros: 2_000, outputMicros: 8_000, pace: 0.95 },
    { name: 'gpt-4.1-mini', provider: 'openai', inputMicros: 400, outputMicros: 1_600, pace: 0.72 },
    { name: 'claude-3-haiku', provider: 'anthropic', inputMicros: 250, outputMicros: 1_250, pace: 0.7 },
    { name: 'claude-3-5-sonnet', provider: 'anthropic', inputMicros: 3_000, outputMicros: 15_000, pace: 1.2 },
    { name: 'claude-sonnet-4', provider: 'anthropic', inputMicros: 3_000, outputMicros: 15_000, pace: 1.15 },
    { name: 'gemini-1.5-pro', provider: 'google', inputMicros: 1_250, outputMicros: 5_000, pace: 1.3 },
    { name: 'gemini-2.0-flash', provider: 'google', inputMicros: 100, outputMicros: 400, pace: 0.65 },
    { name: 'gemini-2.5-flash', provider: 'google', inputMicros: 300, outputMicros: 2_500, pace: 0.75 },
    { name: 'gemini-2.5-pro', provider: 'google', inputMicros: 1_250, outputMicros: 10_000, pace: 1.25 },
    { name: 'mistral-large', provider: 'mistral', inputMicros: 2_000, outputMicros: 6_000, pace: 1.05 },
    { name: 'mistral-small', provider: 'mistral', inputMicros: 100, outputMicros: 300, pace: 0.8 },
  ],
}

/**
 * What a request cost, in millionths of a dollar.
 *
 * Equal to PostgreSQL's `round(tokens_input * price_in / 1000 + tokens_output * price_out / 1000, 6)`
 * on numeric: the sum is exact in both, and both round a half away from zero. Exact in
 * a double up to 10¹¹ tokens.
 */
export function costMicros(model: Model, tokensInput: number, tokensOutput: number): number {
  return Math.floor((tokensInput * model.inputMicros + tokensOutput * model.outputMicros + 500) / 1000)
}

/** The prices as they go into reports and SQL: dollars per 1,000 tokens, by model. */
export function pricesPerThousand(): Record<string, { readonly input: number; readonly output: number }> {
  return Object.fromEntries(
    priceTable.models.map((model) => [
      model.name,
      { input: model.inputMicros / 1_000_000, output: model.outputMicros / 1_000_000 },
    ]),
  )
}
