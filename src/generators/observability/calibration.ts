import { intents } from './departments.js'

/** What a history is tuned by so that it adds up to the targets of its profile. */
export interface Calibration {
  /** Multiplies the latencies before they are cut at the cap. */
  readonly latency: number
  /** Multiplies the probabilities of background failures. */
  readonly failures: number
  /** Multiplies the tokens of requests. */
  readonly input: number
  /** Multiplies the shares of the intents, in the order of `intents`. */
  readonly intents: readonly number[]
  /** How much later than the profile says each release comes, as shares of the window. */
  readonly delays: readonly number[]
}

export const uncalibrated: Calibration = {
  latency: 1,
  failures: 1,
  input: 1,
  intents: intents.map(() => 1),
  delays: [],
}
