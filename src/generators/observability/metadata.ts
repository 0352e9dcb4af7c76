import type { CopyBuffer } from '../copy-binary.js'
import { jsonbText } from '../jsonb-text.js'
import { failureKinds } from './failures.js'
import { traitsByIntent } from './models.js'
import { priceTable } from './prices.js'
import { mostAttempts, regionCount, type Trace } from './trace.js'

/** Where a request was served; `regionCount` of them. */
const regions = ['eu-central', 'eu-west', 'us-east', 'ap-southeast']

/** Metadata of traces of one kind, with places for what differs between them. */
interface Template {
  /** Up to the digits of the first number that is not always as long. */
  readonly head: Buffer
  readonly conversationAt: number
  /** -1 where there is none. */
  readonly firstTokenAt: number
  readonly retriedAt: number
}

/** The templates of a run, each made when the first trace of its kind comes. */
export class MetadataTemplates {
  readonly #mark: string
  readonly #templates = new Map<number, Template>()

  constructor(mark: string) {
    this.#mark = mark
  }

  of(trace: Trace): Template {
    const kind = kindOf(trace)
    const known = this.#templates.get(kind)
    if (known) return known
    const made = templateOf(this.#mark, trace)
    this.#templates.set(kind, made)
    return made
  }
}

/**
 * A function that writes the metadata of a trace: what has no column of its own, under
 * the names of the semantic conventions for generative AI of OpenTelemetry
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/), and the mark of the run.
 *
 * Rows of one kind differ in a few numbers only, so that most of a row is one copy.
 */
export function metadataWriter(templates: MetadataTemplates, target: CopyBuffer): (trace: Trace) => void {
  return (trace) => {
    const { model } = trace
    const template = templates.of(trace)
    target.openJsonb()
    const start = target.position
    target.bytes(template.head)
    patchHex(target, start + template.conversationAt, trace.conversation)
    if (template.firstTokenAt >= 0) patchSeconds(target, start + template.firstTokenAt, trace.firstTokenMs)
    if (template.retriedAt >= 0) patchHex(target, start + template.retriedAt, trace.retriedId)
    if (hasCache[model]) target.bytes(cacheRead).digits(trace.tokensCached)
    if (thinks[model] && trace.status === 0) target.bytes(reasoning).digits(trace.tokensReasoning)
    target.bytes(end).close()
  }
}

/** Tells apart what the templates of two traces differ in. */
function kindOf(trace: Trace): number {
  const failure =
    trace.status === 0 ? (trace.firstTokenMs < 10_000 ? 0 : 1) : trace.status === 2 ? 2 : 3 + trace.failure
  const outcome = failure * mostAttempts + trace.attempt - 1
  const asked = trace.requestedModel === trace.model ? 0 : trace.requestedModel + 1
  const place = (trace.intent * regionCount + trace.region) * models.length + trace.model
  return (outcome * (models.length + 1) + asked) * places + place
}

const { models } = priceTable
const places = traitsByIntent.length * regionCount * models.length
const hasCache = models.map(({ cachedMicros }) => cachedMicros !== undefined)
const thinks = models.map(({ reasoning: share }) => share !== undefined)

// These two are the longest names, so that in jsonb, which sorts by length, they come last.
const cacheRead = Buffer.from(', "gen_ai.usage.cache_read.input_tokens": ')
const reasoning = Buffer.from(', "gen_ai.usage.reasoning.output_tokens": ')
const end = Buffer.from('}')

const conversation = '#'.repeat(16)
const retried = '#'.repeat(32)

function templateOf(mark: string, trace: Trace): Template {
  const isLate = trace.firstTokenMs >= 10_000
  const text = jsonbText({
    obs_run: mark,
    prices: priceTable.asOf,
    region: regions[trace.region],
    'gen_ai.request.temperature': traitsByIntent[trace.intent]?.temperature,
    'gen_ai.conversation.id': conversation,
    'gen_ai.response.model': trace.status === 0 ? models[trace.model]?.responseName : undefined,
    'gen_ai.request.model': trace.requestedModel === trace.model ? undefined : models[trace.requestedModel]?.name,
    'gen_ai.response.time_to_first_chunk': trace.status === 0 ? (isLate ? 11.111 : 1.111) : undefined,
    'error.type': errorType(trace),
    ...(trace.attempt > 1 ? { 'obs.attempt': trace.attempt, 'obs.retry_of': retried } : {}),
  }).slice(0, -1)
  const firstToken = text.indexOf(isLate ? '11.111' : '1.111')
  return {
    head: Buffer.from(text),
    conversationAt: text.indexOf(`"${conversation}"`) + 1,
    firstTokenAt: trace.status === 0 ? firstToken : -1,
    retriedAt: trace.attempt > 1 ? text.indexOf(retried) : -1,
  }
}

function errorType({ status, failure }: Trace): string | undefined {
  if (status === 0) return undefined
  return status === 2 ? 'timeout' : failureKinds[failure]?.name
}

/** Seconds with three digits behind the point, one or two before it. */
function patchSeconds(target: CopyBuffer, position: number, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000)
  const width = seconds < 10 ? 1 : 2
  target.digitsAt(position, seconds, width).digitsAt(position + width + 1, milliseconds - seconds * 1000, 3)
}

function patchHex(target: CopyBuffer, position: number, words: Uint32Array): void {
  for (let i = 0; i < words.length; i++) target.hexAt(position + i * 8, words[i] ?? 0)
}
