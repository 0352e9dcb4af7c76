import { type CopyBuffer, encodeFields } from '../copy-binary.js'
import { failureKinds, timeoutText } from './failures.js'
import type { Population } from './population.js'
import { priceTable } from './prices.js'
import type { Profile } from './profiles.js'
import { type Span, spanKinds, tools } from './spans.js'
import { columnsOf } from './table-columns.js'
import { statuses, type Trace } from './trace.js'

export const spanColumns = columnsOf('spans')

interface SpanSource {
  readonly mark: string
  readonly workspace: string
  readonly population: Population
  readonly profile: Profile
}

/** gen_ai.operation.name of each kind of span. */
const operations = { agent: 'invoke_agent', llm: 'chat', tool: 'execute_tool', retriever: 'retrieval' } as const

const [agentKind, llmKind, toolKind] = [spanKinds.indexOf('agent'), spanKinds.indexOf('llm'), spanKinds.indexOf('tool')]

/** Agents that others ask for help, and where they look things up. */
const helper = 'planner'
const dataSource = 'knowledge_base'

/**
 * A function that writes one span of a trace as one row.
 *
 * Kinds, operations, names and attributes follow the semantic conventions for
 * generative AI of OpenTelemetry.
 */
export function spanWriter(
  { mark, workspace, population, profile }: SpanSource,
  target: CopyBuffer,
): (trace: Trace, spans: readonly Span[], index: number) => void {
  const { models } = priceTable
  const heads = population.agents.map(({ agentId }) => encodeFields((to) => to.uuidText(workspace).text(agentId)))
  const metadata = (attributes: object) => ({ obs_run: mark, ...attributes })
  const described = (kind: keyof typeof operations, of: string, tool: string | null, attributes: object = {}) =>
    encodeFields((to) => {
      to.text(kind).text(operations[kind]).text(`${operations[kind]} ${of}`)
      return (tool === null ? to.null() : to.text(tool)).jsonb(metadata(attributes))
    })
  const agents = population.agents.map(({ agentId }) =>
    described('agent', agentId, null, { 'gen_ai.agent.name': agentId }),
  )
  const helpers = described('agent', helper, null, { 'gen_ai.agent.name': helper })
  const retrievers = described('retriever', dataSource, null, { 'gen_ai.data_source.id': dataSource })
  const toolNames = tools.map((tool) => described('tool', tool, tool, { 'gen_ai.tool.type': 'function' }))
  const calls = models.map(({ name }) =>
    encodeFields((to) => to.text('llm').text(operations.llm).text(`${operations.llm} ${name}`).null()),
  )
  // Ends with the number of cached tokens, whose name is the longest and therefore the last.
  const callMetadata = models.map(({ responseName }) =>
    Buffer.from(
      `{"obs_run": "${mark}", "gen_ai.response.model": "${responseName}", "gen_ai.usage.cache_read.input_tokens": `,
    ),
  )
  const providers = models.map(({ name, provider }) => encodeFields((to) => to.text(name).text(provider)))
  const noCall = encodeFields((to) => to.null().null().null().null().null())
  const well = encodeFields((to) => to.text(statuses[0]).null())
  const describe = (trace: Trace, { kind, parent, tool }: Span) => {
    if (kind === agentKind) return parent < 0 ? agents[trace.agent] : helpers
    return kind === toolKind ? toolNames[tool] : retrievers
  }
  return (trace, spans, index) => {
    const span = spans[index] as Span
    const parent = spans[span.parent]
    const micros = trace.midnight * 1000 + trace.micros
    target.row(spanColumns.length).bytes(heads[trace.agent] ?? nothing)
    target.open()
    for (let i = 0; i < 4; i++) target.hex(trace.id[i] ?? 0)
    target.close().timestamptz(micros)
    writeSpanId(target, span)
    if (parent) writeSpanId(target, parent)
    else target.null()
    target.timestamptz(micros + span.startMs * 1000).int4(span.durationMs)
    if (span.kind === llmKind) {
      target.bytes(calls[trace.model] ?? nothing)
      target
        .openJsonb()
        .bytes(callMetadata[trace.model] ?? nothing)
        .digits(span.tokensCached)
        .bytes(end)
        .close()
    } else {
      target.bytes(describe(trace, span) ?? nothing)
    }
    if (span.status === 0) target.bytes(well)
    else target.text(statuses[span.status] ?? '').text(errorOf(trace, profile))
    if (span.kind !== llmKind) {
      target.bytes(noCall)
      return
    }
    target.bytes(providers[trace.model] ?? nothing)
    target.int4(span.tokensInput).int4(span.tokensOutput).numeric(span.costMicros, 6)
  }
}

const end = Buffer.from('}')
const nothing = Buffer.alloc(0)

function writeSpanId(target: CopyBuffer, { id }: Span): void {
  target
    .open()
    .hex(id[0] ?? 0)
    .hex(id[1] ?? 0)
    .close()
}

function errorOf({ status, failure, model }: Trace, { latency }: Profile): string {
  const provider = priceTable.models[model]?.provider ?? ''
  if (status === 2) return timeoutText(provider, latency.capMs)
  return failureKinds[failure]?.text(provider) ?? ''
}
