import { arrayLiteral, type CopyBuffer, copyValue } from '../copy-text.js'
import type { FactTable, ReferenceIds, Stretch } from '../pack.js'
import { murmur3, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { dayMs, epochDay } from './calendar.js'
import { departments, intents } from './departments.js'
import { failureKinds, timeoutText } from './failures.js'
import { traitsByIntent } from './models.js'
import { priceTable } from './prices.js'
import { environmentCodes, versions } from './profiles.js'
import type { TextAround, TextPools } from './prompts.js'
import { type Trace, TraceDrawer, type TraceSource } from './traces.js'
import type { Volume } from './volume.js'

/** Where a request was served; `regionCount` of them. */
const regions = ['eu-central', 'eu-west', 'us-east', 'ap-southeast']

/** The columns in the order they are written: values that depend on the same thing stand together. */
const traceColumns = [
  ...['workspace_id', 'agent_id', 'department_id', 'trace_id', 'timestamp', 'latency_ms'],
  ...['environment_id', 'tags', 'version', 'intent_category', 'metadata', 'model', 'model_provider', 'input'],
  ...['status', 'error', 'output', 'tokens_input', 'tokens_output', 'tokens_total', 'cost_usd'],
  ...['user_id', 'user_segment'],
]

const evaluationColumns = [
  ...['workspace_id', 'agent_id', 'evaluator', 'metric', 'metadata', 'id', 'trace_id', 'trace_timestamp'],
  ...['score', 'is_passing', 'comment', 'created_at', 'updated_at'],
]

/** What the encoders of a run share. */
export interface EncodingSource extends TraceSource {
  readonly workspace: string
  readonly volume: Volume
  readonly ids: ReferenceIds
  readonly texts: TextPools
  /** When each user was last there; filled while traces are encoded. */
  readonly lastSeen: Float64Array
}

/** The traces of the window, day by day and agent by agent. */
export function traceTable(source: EncodingSource): FactTable {
  return {
    table: 'traces',
    timeColumn: 'timestamp',
    columns: traceColumns,
    rows: source.volume.total,
    changeLog: { table: 'traces_rollup_changes', column: 'bucket' },
    encode: (stretch, target) => traceRows(source, stretch, target),
  }
}

/** The quality evaluations of the traces that have one. */
export function evaluationTable(source: EncodingSource): FactTable {
  return {
    table: 'evaluations',
    timeColumn: 'created_at',
    columns: evaluationColumns,
    encode: (stretch, target) => evaluationRows(source, stretch, target),
  }
}

function* traceRows(source: EncodingSource, stretch: Stretch, target: CopyBuffer): Iterable<number> {
  const { population, volume } = source
  const drawer = new TraceDrawer(source)
  const write = traceWriter(source, target)
  let rows = 0
  for (let day = epochDay(stretch.from); day * dayMs < stretch.to; day++) {
    drawer.openDay(day)
    for (const agent of population.agents) {
      const count = volume.count(agent.index, day)
      for (let n = 0; n < count; n++) {
        write(drawer.draw(agent, n))
        rows++
        if (!target.isFull) continue
        yield rows
        rows = 0
      }
    }
  }
  yield rows
}

function* evaluationRows(source: EncodingSource, stretch: Stretch, target: CopyBuffer): Iterable<number> {
  const { population, volume, window } = source
  const drawer = new TraceDrawer(source)
  const write = evaluationWriter(source, target)
  let rows = 0
  for (let day = epochDay(stretch.from); day * dayMs < stretch.to; day++) {
    drawer.openDay(day)
    for (const agent of population.agents) {
      const count = volume.count(agent.index, day)
      for (let n = 0; n < count; n++) {
        if (!drawer.isEvaluated(agent, n)) continue
        const trace = drawer.draw(agent, n)
        // What would be judged after the window has not been judged yet.
        if (judgedAt(trace) >= window.to) continue
        write(trace)
        rows++
        if (!target.isFull) continue
        yield rows
        rows = 0
      }
    }
  }
  yield rows
}

/** A function that writes one trace as one line of COPY text. */
function traceWriter(source: EncodingSource, target: CopyBuffer): (trace: Trace) => void {
  const { texts, lastSeen } = source
  const chunks = traceChunks(source)
  const writeTime = timestampWriter(target)
  return (trace) => {
    const provider = priceTable.models[trace.model]?.provider ?? ''
    target.bytes(at(chunks.agent, trace.agent))
    for (const word of trace.id) target.hex(word)
    target.tab()
    writeTime(trace.midnight, trace.micros)
    target.tab().integer(trace.latencyMs).tab()
    target.bytes(at(chunks.environment, trace.agent * environmentCodes.length + trace.environment))
    target.bytes(at(chunks.version, trace.version))
    target.bytes(at(chunks.intent, trace.intent * regions.length + trace.region))
    target.bytes(at(chunks.model, trace.model))
    writeText(target, texts.prompts[trace.prompt], trace.reference)
    if (trace.status === 0) {
      target.bytes(chunks.success)
      writeText(target, texts.answers[trace.answer], trace.reference)
    } else {
      target.bytes(chunks.failure(trace, provider))
    }
    target.integer(trace.tokensInput).tab().integer(trace.tokensOutput).tab()
    target
      .integer(trace.tokensInput + trace.tokensOutput)
      .tab()
      .decimal(trace.costMicros, 6)
      .tab()
    target.bytes(at(chunks.user, trace.user))
    lastSeen[trace.user] = Math.max(lastSeen[trace.user] ?? 0, trace.midnight + trace.micros / 1000)
  }
}

interface TraceChunks {
  readonly agent: readonly Buffer[]
  readonly environment: readonly Buffer[]
  readonly version: readonly Buffer[]
  readonly intent: readonly Buffer[]
  readonly model: readonly Buffer[]
  readonly user: readonly Buffer[]
  readonly success: Buffer
  failure(trace: Trace, provider: string): Buffer
}

/** Everything that many rows share, encoded once, with the tabs that go around it. */
function traceChunks(source: EncodingSource): TraceChunks {
  const { workspace, ids, population, runId, profile } = source
  const { agents, users } = population
  const departmentOf = ({ department }: Agent) => departments[department]
  const metadata = (temperature: number, region: string) =>
    JSON.stringify({ obs_run: runId, region, temperature, prices: priceTable.asOf })
  const failures = new Map<string, Buffer>()
  for (const { provider } of priceTable.models) {
    for (const [i, kind] of failureKinds.entries()) {
      failures.set(`1${i}${provider}`, fields('error', kind.text(provider), null))
    }
    failures.set(`2${provider}`, fields('timeout', timeoutText(provider, profile.latency.capMs), null))
  }
  return {
    agent: agents.map((agent) => fields(workspace, agent.agentId, ids('departments', departmentOf(agent)?.code ?? ''))),
    environment: agents.flatMap((agent) =>
      environmentCodes.map((code) => {
        const department = departmentOf(agent)
        const tags = [department?.code ?? '', department?.types[agent.type]?.name ?? '', code]
        return fields(ids('environments', code), arrayLiteral(tags))
      }),
    ),
    version: versions.map((version) => fields(version)),
    intent: intents.flatMap((intent, i) =>
      regions.map((region) => fields(intent, metadata(traitsByIntent[i]?.temperature ?? 0, region))),
    ),
    model: priceTable.models.map(({ name, provider }) => fields(name, provider)),
    user: users.map(({ userId, segment }) => line(userId, segment)),
    success: fields('success', null),
    failure: ({ status, failure }, provider) =>
      failures.get(status === 2 ? `2${provider}` : `1${failure}${provider}`) ?? Buffer.alloc(0),
  }
}

const evaluator = 'quality-judge-2'
/** The score from which an answer passes. */
const passingScore = 70

const comments = {
  failed: 'The request failed, so there was no answer to judge.',
  poor: 'The answer misses what was asked.',
  fair: 'Correct in the main, with gaps.',
  good: 'Complete and correct.',
}

/** A function that writes the evaluation of one trace as one line of COPY text. */
function evaluationWriter(source: EncodingSource, target: CopyBuffer): (trace: Trace) => void {
  const { workspace, population, runId } = source
  const metadata = JSON.stringify({ obs_run: runId })
  const heads = population.agents.map(({ agentId }) => fields(workspace, agentId, evaluator, 'quality', metadata))
  const verdicts = Object.fromEntries(
    Object.entries(comments).map(([key, comment]) => [key, [fields('f', comment), fields('t', comment)]]),
  )
  const writeTime = timestampWriter(target)
  const writeId = uuidWriter(runId, target)
  return (trace) => {
    const micros = trace.micros + trace.judgedAfterMs * 1000
    target.bytes(at(heads, trace.agent))
    writeId(trace)
    target.tab()
    for (const word of trace.id) target.hex(word)
    target.tab()
    writeTime(trace.midnight, trace.micros)
    target.tab().decimal(trace.scoreHundredths, 2).tab()
    const isPassing = trace.scoreHundredths >= passingScore * 100
    target.bytes(verdicts[verdictOf(trace)]?.[isPassing ? 1 : 0] ?? Buffer.alloc(0))
    writeTime(trace.midnight, micros)
    target.tab()
    writeTime(trace.midnight, micros)
    target.newline()
  }
}

function verdictOf(trace: Trace): keyof typeof comments {
  if (trace.status !== 0) return 'failed'
  if (trace.scoreHundredths < passingScore * 100) return 'poor'
  return trace.scoreHundredths < 85_00 ? 'fair' : 'good'
}

/** When a trace was judged, in milliseconds since 1970. */
function judgedAt(trace: Trace): number {
  return trace.midnight + trace.micros / 1000 + trace.judgedAfterMs
}

/** Writes an id of version 8 (RFC 9562 section 5.8) that follows from the trace's own. */
function uuidWriter(runId: string, target: CopyBuffer): (trace: Trace) => void {
  const { words } = streamKey('evaluation ids', runId)
  return ({ id }) => {
    const word = (i: number) => murmur3(words[i] ?? 0, id[2] ?? 0, id[3] ?? 0, i)
    const second = ((word(1) & 0xffff_0fff) | 0x8000) >>> 0
    const third = ((word(2) & 0x3fff_ffff) | 0x8000_0000) >>> 0
    target.hex(word(0)).character('-')
    target.hexHalves(second).character('-')
    target.hexHalves(third).hex(word(3))
  }
}

const dayMicros = dayMs * 1000

/** Writes timestamps to the microsecond; the date is formatted when it changes. */
function timestampWriter(target: CopyBuffer): (midnight: number, micros: number) => void {
  let written = Number.NaN
  let date = Buffer.alloc(0)
  return (midnight, micros) => {
    const overflow = Math.floor(micros / dayMicros)
    const day = midnight + overflow * dayMs
    if (day !== written) {
      written = day
      date = Buffer.from(`${new Date(day).toISOString().slice(0, 10)} `)
    }
    const rest = micros - overflow * dayMicros
    const seconds = Math.floor(rest / 1_000_000)
    const minutes = Math.floor(seconds / 60)
    target.bytes(date)
    target
      .digits(Math.floor(minutes / 60), 2)
      .character(':')
      .digits(minutes % 60, 2)
      .character(':')
    target
      .digits(seconds % 60, 2)
      .character('.')
      .digits(rest - seconds * 1_000_000, 6)
      .character('+')
      .digits(0, 2)
  }
}

function writeText(target: CopyBuffer, text: TextAround | undefined, reference: number): void {
  if (!text) return
  target.bytes(text.before).integer(reference).bytes(text.after).tab()
}

/** Values with a tab behind each. */
function fields(...values: readonly (string | null)[]): Buffer {
  return Buffer.concat(values.flatMap((value) => [copyValue(value), Buffer.from('\t')]))
}

/** Values with tabs between them and a newline behind. */
function line(...values: readonly (string | null)[]): Buffer {
  const row = fields(...values)
  row[row.length - 1] = 0x0a
  return row
}

function at(chunks: readonly Buffer[], index: number): Buffer {
  return chunks[index] ?? nothing
}

const nothing = Buffer.alloc(0)
