import { weightedChoice } from '../distributions.js'

export interface FailureKind {
  readonly name: string
  /** Share of the background failures that are not timeouts. */
  readonly weight: number
  /** How long it takes to fail, relative to an answer. */
  readonly latency: number
  /** Whether the same request may succeed a moment later. */
  readonly isTransient: boolean
  /** The error text; the first word is the kind. */
  text(provider: string): string
}

/** What goes wrong. A timeout is not among them: it is a status of its own and ends at the cap. */
export const failureKinds: readonly FailureKind[] = [
  {
    name: 'rate_limit',
    isTransient: true,
    weight: 34,
    latency: 0.2,
    text: (provider) => `rate_limit: ${provider} refused the request, too many tokens per minute`,
  },
  {
    name: 'server_error',
    isTransient: true,
    weight: 28,
    latency: 0.7,
    text: (provider) => `server_error: ${provider} answered 503 Service Unavailable`,
  },
  {
    name: 'tool_error',
    isTransient: false,
    weight: 16,
    latency: 0.9,
    text: () => 'tool_error: the agent called a tool that returned no result',
  },
  {
    name: 'context_length',
    isTransient: false,
    weight: 12,
    latency: 0.25,
    text: (provider) => `context_length: the prompt is longer than the model of ${provider} accepts`,
  },
  {
    name: 'content_filter',
    isTransient: false,
    weight: 10,
    latency: 0.5,
    text: (provider) => `content_filter: ${provider} withheld the answer`,
  },
]

export const failureChoice = weightedChoice(failureKinds.map(({ weight }) => weight))

export function timeoutText(provider: string, capMs: number): string {
  return `timeout: no answer from ${provider} within ${Math.round(capMs / 1000)} s`
}
