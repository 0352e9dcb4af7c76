import { negativeBinomialWeights } from '../distributions.js'
import { answerMs, traitsByIntent, versionTraits } from './models.js'
import { priceTable } from './prices.js'
import { type EnvironmentCode, environmentCodes, type Profile, type Version, versions } from './profiles.js'

const { models } = priceTable

/** The relative frequencies of conversations of 1, 2, 3, … requests. */
export function conversationSizes({ sessions }: Profile): readonly number[] {
  return negativeBinomialWeights(sessions.longest, sessions.shape, sessions.further)
}

/** A number for each environment and version, versions innermost. */
export function byEnvironmentAndVersion(
  of: (environment: EnvironmentCode, version: (typeof versionTraits)[Version]) => number,
): Float64Array {
  return Float64Array.from(
    environmentCodes.flatMap((environment) => versions.map((version) => of(environment, versionTraits[version]))),
  )
}

/** A number for each intent and model, models innermost, from how long the model usually takes for it. */
export function byIntentAndModel(of: (usual: { total: number; firstToken: number }) => number): Float64Array {
  return Float64Array.from(
    traitsByIntent.flatMap(({ tokensOutput }) =>
      models.map((model) => of({ total: answerMs(model, tokensOutput), firstToken: model.firstTokenMs })),
    ),
  )
}

/** How much slower or faster than usual each hour is: providers are slower when everybody asks. The busiest is `rush` slower. */
export function rushHours({ hours, latency }: Profile): Float64Array {
  const total = hours.reduce((sum, weight) => sum + weight, 0)
  const mean = hours.reduce((sum, weight) => sum + weight * weight, 0) / total
  const most = Math.max(...hours)
  return Float64Array.from(hours, (weight) => 1 + (latency.rush * (weight - mean)) / (most - mean))
}

/** Where each intent ends on the way from 0 to 1, its share multiplied by its factor. */
export function limitsOf(shares: readonly number[], factors: readonly number[]): Float64Array {
  const weights = shares.map((share, i) => share * (factors[i] ?? 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  return Float64Array.from(weights, (weight) => {
    sum += weight / total
    return sum
  })
}

/** The place whose limit is the first beyond `u`. */
export function placeOf(limits: Float64Array | undefined, u: number): number {
  if (!limits) return 0
  let place = 0
  while (place < limits.length - 1 && u >= (limits[place] ?? 1)) place++
  return place
}
