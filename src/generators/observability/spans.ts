import { negativeBinomialWeights, weightedChoice } from '../distributions.js'
import { finalMix, murmur3, Random, type StreamKey, streamKey } from '../random.js'
import { type Intent, intents } from './departments.js'
import { failureKinds } from './failures.js'
import { costMicros, priceTable } from './prices.js'
import type { Trace } from './trace.js'

export const spanKinds = ['agent', 'llm', 'tool', 'retriever'] as const
const kinds = { agent: 0, llm: 1, tool: 2, retriever: 3 } as const

/** The fewest and the most spans of a trace. */
export const fewestSpans = 4
export const mostSpans = 25

/** The tools that agents have, by what they are asked for. */
const toolsByIntent: Readonly<Record<Intent, readonly string[]>> = {
  code_generation: ['search_code', 'read_file', 'run_tests', 'open_pull_request'],
  customer_support: ['lookup_order', 'search_tickets', 'issue_refund', 'send_reply'],
  data_analysis: ['describe_table', 'run_sql', 'plot_chart', 'export_csv'],
  content_creation: ['search_assets', 'check_style', 'fetch_brief', 'save_draft'],
  automation: ['list_items', 'update_record', 'send_notification', 'schedule_job'],
  research: ['web_search', 'fetch_page', 'extract_tables', 'cite_source'],
  translation: ['glossary_lookup', 'translation_memory', 'check_terms', 'save_draft'],
  general_assistance: ['search_handbook', 'calendar_lookup', 'find_person', 'create_request'],
}

/** Every tool once; spans name them by their place here. */
export const tools: readonly string[] = [...new Set(Object.values(toolsByIntent).flat())]

const toolChoices = intents.map((intent) => toolsByIntent[intent].map((tool) => tools.indexOf(tool)))

/** Intents whose agents look something up before they begin. */
const retrieves = intents.map((intent) =>
  ['customer_support', 'data_analysis', 'research', 'general_assistance'].includes(intent),
)

/** One span as numbers and indexes. */
export class Span {
  /** The 64 bits of its id, as two words. */
  readonly id = new Uint32Array(2)
  /** The place of its parent among the spans of the trace; -1 for the first, which is the whole. */
  parent = -1
  /** Index into `spanKinds`. */
  kind = 0
  /** Index into `tools` when it is one. */
  tool = 0
  /** Milliseconds after the trace began. */
  startMs = 0
  durationMs = 0
  /** Index into the statuses of traces. */
  status = 0
  tokensInput = 0
  tokensCached = 0
  tokensOutput = 0
  costMicros = 0
}

/**
 * Draws the spans of a trace: a function of the run and of the trace.
 *
 * The first span is the agent's, and lasts as long as the trace. Calls of the model
 * take turns with tools and end it; in longer ones a second agent does some of them.
 * Tokens and cost of the trace are those of its calls, and what made it fail is the
 * last step, for nothing came behind it.
 */
export class SpanDrawer {
  readonly spans: readonly Span[] = Array.from({ length: mostSpans }, () => new Span())
  readonly #key: StreamKey
  readonly #random = new Random()
  readonly #counts = weightedChoice(negativeBinomialWeights(mostSpans - fewestSpans + 1, 1.4, 4.5))
  readonly #weights = new Float64Array(mostSpans)

  constructor(runId: string) {
    this.#key = streamKey('spans', runId)
  }

  /** Draws into `spans` and gives back how many there are. */
  draw(trace: Trace): number {
    // The last words of a trace's id are its coordinates, mixed.
    this.#random.seat(this.#key, (trace.id[2] ?? 0) >>> 3, (trace.id[3] ?? 0) >>> 3, (trace.id[3] ?? 0) & 7)
    const count = fewestSpans + this.#counts.pick(this.#random)
    this.#begin(trace)
    this.#chooseSteps(trace, count)
    this.#layOut(trace, count)
    this.#nest(count)
    this.#share(trace, count)
    this.#fail(trace, count)
    for (let i = 0; i < count; i++) this.#name(trace, i)
    return count
  }

  #span(index: number): Span {
    return this.spans[index] as Span
  }

  #begin(trace: Trace): void {
    const root = this.#span(0)
    root.kind = kinds.agent
    root.parent = -1
    root.startMs = 0
    root.durationMs = trace.latencyMs
  }

  /** What each step is: one that looks something up first, a call of the model last, and tools between calls. */
  #chooseSteps(trace: Trace, count: number): void {
    const choices = toolChoices[trace.intent] ?? []
    for (let i = 1; i < count; i++) {
      const span = this.#span(i)
      span.parent = 0
      span.kind = this.#kindOf(trace, i, count)
      if (span.kind === kinds.tool) span.tool = choices[this.#random.integer(choices.length)] ?? 0
    }
  }

  #kindOf(trace: Trace, i: number, count: number): number {
    if (i === count - 1) return failsInTool(trace) ? kinds.tool : kinds.llm
    if (i === 1 && retrieves[trace.intent]) return kinds.retriever
    const before = this.#span(i - 1).kind
    // Somebody has to have asked for a tool.
    if (i <= 2 && before !== kinds.llm) return kinds.llm
    return this.#random.chance(before === kinds.llm ? 0.8 : 0.35) ? kinds.tool : kinds.llm
  }

  /** One step behind the other, with a little time between them in which the agent itself works. */
  #layOut(trace: Trace, count: number): void {
    let total = 0
    for (let i = 1; i < count; i++) {
      const weight = (stepWeight[this.#span(i).kind] ?? 1) * (0.4 + 1.2 * this.#random.uniform())
      this.#weights[i] = weight
      total += weight * (1 + pause)
    }
    let elapsed = 0
    for (let i = 1; i < count; i++) {
      const span = this.#span(i)
      const share = (this.#weights[i] ?? 0) / total
      span.startMs = Math.floor((elapsed + share * pause) * trace.latencyMs)
      span.durationMs = Math.floor(share * trace.latencyMs)
      elapsed += share * (1 + pause)
    }
  }

  /** Makes one of the steps of a long trace another agent, which does the ones behind it. */
  #nest(count: number): void {
    if (count < longTrace) return
    const first = 2 + this.#random.integer(3)
    const last = Math.min(count - 2, first + 3 + this.#random.integer(count - first - 4))
    const helper = this.#span(first)
    const end = this.#span(last)
    helper.kind = kinds.agent
    helper.durationMs = end.startMs - helper.startMs + end.durationMs
    for (let i = first + 1; i <= last; i++) this.#span(i).parent = first
    // It begins with a call of its own, behind a moment in which it was set up.
    this.#span(first + 1).kind = kinds.llm
  }

  /** Shares out tokens and cost among the calls; the last one gets what the others left. */
  #share(trace: Trace, count: number): void {
    const model = priceTable.models[trace.model]
    let calls = 0
    for (let i = 1; i < count; i++) if (this.#span(i).kind === kinds.llm) calls++
    const left = {
      input: trace.tokensInput,
      cached: trace.tokensCached,
      output: trace.tokensOutput,
      cost: trace.costMicros,
    }
    for (let i = 0; i < count; i++) {
      const span = this.#span(i)
      span.status = 0
      span.tokensInput = span.tokensCached = span.tokensOutput = span.costMicros = 0
      if (span.kind !== kinds.llm || !model) continue
      const isLast = --calls === 0
      const part = isLast ? 1 : (0.5 + this.#random.uniform()) / (calls + 1)
      span.tokensInput = Math.floor(left.input * Math.min(1, part))
      span.tokensCached = isLast ? left.cached : Math.min(span.tokensInput, Math.floor(left.cached * Math.min(1, part)))
      span.tokensOutput = Math.floor(left.output * Math.min(1, part))
      const cost = costMicros(model, span.tokensInput, span.tokensCached, span.tokensOutput)
      span.costMicros = isLast ? left.cost : Math.min(left.cost, cost)
      left.input -= span.tokensInput
      left.cached -= span.tokensCached
      left.output -= span.tokensOutput
      left.cost -= span.costMicros
    }
  }

  /** The last step failed, and with it whatever it is a part of. */
  #fail(trace: Trace, count: number): void {
    if (trace.status === 0) return
    for (let i = count - 1; i >= 0; i = this.#span(i).parent) this.#span(i).status = trace.status
  }

  #name(trace: Trace, index: number): void {
    const { id } = this.#span(index)
    const low = trace.id[3] ?? 0
    id[0] = murmur3(trace.id[2] ?? 0, low, index, 0)
    // Two indexes never give the same word.
    id[1] = finalMix(low ^ Math.imul(index + 1, 0x9e37_79b1))
  }
}

/** How long steps take relative to each other. */
const stepWeight: readonly number[] = [1, 3, 1.2, 0.7]

/** Time between steps, relative to the step behind it. */
const pause = 0.04

/** From so many spans on a second agent takes part. */
const longTrace = 10

function failsInTool({ status, failure }: Trace): boolean {
  return status === 1 && failureKinds[failure]?.name === 'tool_error'
}
