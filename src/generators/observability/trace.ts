export const statuses = ['success', 'error', 'timeout'] as const

/** One trace as numbers and indexes; the one instance is drawn over and over. */
export class Trace {
  /** The 128 bits of the trace id, as four words. */
  readonly id = new Uint32Array(4)
  /** The id of the trace that this one tries again; meaningful from the second attempt on. */
  readonly retriedId = new Uint32Array(4)
  /** The 64 bits of the conversation's id, as two words. */
  readonly conversation = new Uint32Array(2)
  agent = 0
  /** Counts the traces of the agent's day from 0. */
  n = 0
  /** Milliseconds of midnight, and microseconds after it. */
  midnight = 0
  micros = 0
  /** Index into `environmentCodes`. */
  environment = 0
  /** Index into `versions`. */
  version = 0
  /** What the version follows from: a number in [0, 1), and how far its agent and environment are in the window. */
  versionDraw = 0
  rolloutTime = 0
  /** Index into `intents`. */
  intent = 0
  /** A number in [0, 1) that the intent follows from. */
  intentDraw = 0
  /** Index into the price table: the model that answered. */
  model = 0
  /** The model that was asked for, which is another one while its provider is down. */
  requestedModel = 0
  /** Counts the requests of the conversation from 0. */
  turn = 0
  /** 1, and one more for each time the same request is tried again. */
  attempt = 1
  /** Index into `statuses`. */
  status = 0
  /** Index into `failureKinds` when the status is error. */
  failure = 0
  latencyMs = 0
  /** Milliseconds until the first token of the answer; 0 when there was none. */
  firstTokenMs = 0
  tokensInput = 0
  /** How many of the input tokens came from the provider's cache. */
  tokensCached = 0
  tokensOutput = 0
  /** How many of the output tokens the model thought with and did not show. */
  tokensReasoning = 0
  costMicros = 0
  /** Index into the population's users. */
  user = 0
  prompt = 0
  /** A number in [0, 1) that the answer's text follows from. */
  answerDraw = 0
  /** A ticket, order or document number for the texts. */
  reference = 0
  region = 0
  /** Whether somebody judged it. */
  isEvaluated = false
}

/** How good an answer was. */
export interface Judgement {
  /** The score in hundredths. */
  scoreHundredths: number
  /** Milliseconds from the trace to its evaluation. */
  afterMs: number
}

export const regionCount = 4

/** A request is tried no more often than this. */
export const mostAttempts = 3
