import { type CopyBuffer, encodeFields } from '../copy-binary.js'
import { columns, type FactTable, type ReferenceIds, type Stretch } from '../pack.js'
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
const traceColumns = columns({
  ...{ workspace_id: 'uuid', agent_id: 'varchar', department_id: 'uuid', trace_id: 'varchar' },
  ...{ timestamp: 'timestamptz', latency_ms: 'int4', environment_id: 'uuid', tags: 'varchar[]' },
  ...{ version: 'varchar', intent_category: 'varchar', metadata: 'jsonb', model: 'varchar' },
  ...{ model_provider: 'varchar', input: 'text', status: 'varchar', error: 'text', output: 'text' },
  ...{ tokens_input: 'int4', tokens_output: 'int4', tokens_total: 'int4', cost_usd: 'numeric' },
  ...{ user_id: 'varchar', user_segment: 'varchar' },
})

const evaluationColumns = columns({
  ...{ workspace_id: 'uuid', agent_id: 'varchar', evaluator: 'varchar', metric: 'varchar', metadata: 'jsonb' },
  ...{ id: 'uuid', trace_id: 'varchar', trace_timestamp: 'timestamptz', score: 'numeric', is_passing: 'bool' },
  ...{ comment: 'text', created_at: 'timestamptz', updated_at: 'timestamptz' },
})

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

/** A function that writes one trace as one row. */
function traceWriter(source: EncodingSource, target: CopyBuffer): (trace: Trace) => void {
  const { texts, lastSeen } = source
  const chunks = traceChunks(source)
  return (trace) => {
    const provider = priceTable.models[trace.model]?.provider ?? ''
    target.row(traceColumns.length).bytes(at(chunks.agent, trace.agent))
    writeTraceId(target, trace)
    target.timestamptz(trace.midnight * 1000 + trace.micros).int4(trace.latencyMs)
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
    target.int4(trace.tokensInput).int4(trace.tokensOutput)
    target.int4(trace.tokensInput + trace.tokensOutput).numeric(trace.costMicros, 6)
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

/** Everything that many rows share, encoded once. */
function traceChunks(source: EncodingSource): TraceChunks {
  const { workspace, ids, population, runId, profile } = source
  const { agents, users } = population
  const departmentOf = ({ department }: Agent) => departments[department]
  const metadata = (temperature: number, region: string) => ({
    ...{ obs_run: runId, region, temperature, prices: priceTable.asOf },
  })
  const failures = new Map<string, Buffer>()
  for (const { provider } of priceTable.models) {
    for (const [i, kind] of failureKinds.entries()) {
      failures.set(`1${i}${provider}`, texts('error', kind.text(provider), null))
    }
    failures.set(`2${provider}`, texts('timeout', timeoutText(provider, profile.latency.capMs), null))
  }
  return {
    agent: agents.map((agent) =>
      encodeFields((to) =>
        to
          .uuidText(workspace)
          .text(agent.agentId)
          .uuidText(ids('departments', departmentOf(agent)?.code ?? '')),
      ),
    ),
    environment: agents.flatMap((agent) =>
      environmentCodes.map((code) => {
        const department = departmentOf(agent)
        const tags = [department?.code ?? '', department?.types[agent.type]?.name ?? '', code]
        return encodeFields((to) => to.uuidText(ids('environments', code)).textArray(tags, 'varchar'))
      }),
    ),
    version: versions.map((version) => texts(version)),
    intent: intents.flatMap((intent, i) =>
      regions.map((region) =>
        encodeFields((to) => to.text(intent).jsonb(metadata(traitsByIntent[i]?.temperature ?? 0, region))),
      ),
    ),
    model: priceTable.models.map(({ name, provider }) => texts(name, provider)),
    user: users.map(({ userId, segment }) => texts(userId, segment)),
    success: texts('success', null),
    failure: ({ status, failure }, provider) =>
      failures.get(status === 2 ? `2${provider}` : `1${failure}${provider}`) ?? nothing,
  }
}

const evaluator = 'quality-judge-2'
/** The score from which an answer passes. */
export const passingScore = 70

const comments = {
  failed: 'The request failed, so there was no answer to judge.',
  poor: 'The answer misses what was asked.',
  fair: 'Correct in the main, with gaps.',
  good: 'Complete and correct.',
}

/** A function that writes the evaluation of one trace as one row. */
function evaluationWriter(source: EncodingSource, target: CopyBuffer): (trace: Trace) => void {
  const { workspace, population, runId } = source
  const heads = population.agents.map(({ agentId }) =>
    encodeFields((to) =>
      to.uuidText(workspace).text(agentId).text(evaluator).text('quality').jsonb({ obs_run: runId }),
    ),
  )
  const verdicts = Object.fromEntries(
    Object.entries(comments).map(([key, comment]) => [
      key,
      [false, true].map((isPassing) => encodeFields((to) => to.bool(isPassing).text(comment))),
    ]),
  )
  const writeId = uuidWriter(runId, target)
  return (trace) => {
    const micros = trace.midnight * 1000 + trace.micros
    const judged = micros + trace.judgedAfterMs * 1000
    target.row(evaluationColumns.length).bytes(at(heads, trace.agent))
    writeId(trace)
    writeTraceId(target, trace)
    target.timestamptz(micros).numeric(trace.scoreHundredths, 2)
    const isPassing = trace.scoreHundredths >= passingScore * 100
    target.bytes(verdicts[verdictOf(trace)]?.[isPassing ? 1 : 0] ?? nothing)
    target.timestamptz(judged).timestamptz(judged)
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
    target.uuid(word(0), second, third, word(3))
  }
}

function writeText(target: CopyBuffer, text: TextAround | undefined, reference: number): void {
  if (text) target.open().bytes(text.before).digits(reference).bytes(text.after).close()
}

function writeTraceId(target: CopyBuffer, { id }: Trace): void {
  target.open()
  for (let i = 0; i < 4; i++) target.hex(id[i] ?? 0)
  target.close()
}

/** Texts as fields, one behind the other. */
function texts(...values: readonly (string | null)[]): Buffer {
  return encodeFields((to) => {
    for (const value of values) value === null ? to.null() : to.text(value)
  })
}

function at(chunks: readonly Buffer[], index: number): Buffer {
  return chunks[index] ?? nothing
}

const nothing = Buffer.alloc(0)
