import { type CopyBuffer, encodeFields } from '../copy-binary.js'
import type { FactTable, Stretch } from '../pack.js'
import { murmur3, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { dayMs, epochDay } from './calendar.js'
import { departments, intents } from './departments.js'
import { spanColumns, spanWriter } from './encode-spans.js'
import { failureKinds, timeoutText } from './failures.js'
import { MetadataTemplates, metadataWriter } from './metadata.js'
import { priceTable } from './prices.js'
import { environmentCodes, versions } from './profiles.js'
import type { Text, TextPools } from './prompts.js'
import type { IdsOfWorkspace } from './reference-rows.js'
import { SpanDrawer } from './spans.js'
import { columnsOf } from './table-columns.js'
import type { Judgement, Trace } from './trace.js'
import type { TraceSource } from './trace-source.js'
import { TraceDrawer } from './traces.js'

const traceColumns = columnsOf('traces')
const evaluationColumns = columnsOf('evaluations')

/** What the encoders of a run share. */
export interface EncodingSource extends TraceSource {
  /** The run that the rows say they are of. */
  readonly mark: string
  readonly workspace: string
  readonly ids: IdsOfWorkspace
  readonly texts: TextPools
}

/** Where hours are noted whose sums are to be counted anew. */
export const changeLog = { table: 'traces_rollup_changes', column: 'bucket' }

/** The traces of the window, day by day and agent by agent. */
export function traceTable(source: EncodingSource): FactTable {
  const templates = new MetadataTemplates(source.mark)
  return {
    table: 'traces',
    timeColumn: 'timestamp',
    columns: traceColumns,
    rows: source.volume.total,
    countRows: (stretch) => countTraces(source, stretch),
    changeLog,
    encode: (stretch, target) => traceRows(source, templates, stretch, target),
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

function countTraces({ population, volume }: EncodingSource, stretch: Stretch): number {
  let rows = 0
  for (let day = epochDay(stretch.from); day * dayMs < stretch.to; day++) {
    for (const { index } of population.agents) rows += volume.count(index, day)
  }
  return rows
}

/** The spans of the traces. */
export function spanTable(source: EncodingSource): FactTable {
  return {
    table: 'spans',
    timeColumn: 'trace_timestamp',
    columns: spanColumns,
    encode: (stretch, target) => spanRows(source, stretch, target),
  }
}

function traceRows(
  source: EncodingSource,
  templates: MetadataTemplates,
  stretch: Stretch,
  target: CopyBuffer,
): Iterable<number> {
  const write = traceWriter(source, templates, target)
  return eachTrace(source, stretch, target, every, (drawer) => {
    write(drawer.draw())
    return 1
  })
}

function evaluationRows(source: EncodingSource, stretch: Stretch, target: CopyBuffer): Iterable<number> {
  const write = evaluationWriter(source, target)
  const judgement: Judgement = { scoreHundredths: 0, afterMs: 0 }
  return eachTrace(source, stretch, target, judged, (drawer) => {
    const trace = drawer.draw()
    if (!trace.isEvaluated) return 0
    drawer.judge(judgement)
    // What would be judged after the window has not been judged yet.
    if (trace.midnight + trace.micros / 1000 + judgement.afterMs >= source.window.to) return 0
    write(trace, judgement)
    return 1
  })
}

function spanRows(source: EncodingSource, stretch: Stretch, target: CopyBuffer): Iterable<number> {
  const spanDrawer = new SpanDrawer(source.runId)
  const write = spanWriter(source, target)
  return eachTrace(source, stretch, target, every, (drawer) => {
    const trace = drawer.draw()
    const spans = spanDrawer.draw(trace)
    for (let i = 0; i < spans; i++) write(trace, spanDrawer.spans, i)
    return spans
  })
}

/** How many traces of an agent's day are to be drawn next; 0 behind the last. */
type Ahead = (drawer: TraceDrawer) => number
const every: Ahead = (drawer) => drawer.left
const judged: Ahead = (drawer) => drawer.findJudged()

/**
 * Seats a drawer at the traces of a stretch, day by day and agent by agent, as far as `ahead` wants
 * them. `write` draws the next trace and says how many rows it wrote; their number is yielded
 * whenever the buffer is full.
 */
function* eachTrace(
  source: EncodingSource,
  stretch: Stretch,
  target: CopyBuffer,
  ahead: Ahead,
  write: (drawer: TraceDrawer) => number,
): Iterable<number> {
  const drawer = new TraceDrawer(source)
  let rows = 0
  for (let day = epochDay(stretch.from); day * dayMs < stretch.to; day++) {
    drawer.openDay(day)
    for (const agent of source.population.agents) {
      drawer.openAgent(agent)
      for (let wanted = ahead(drawer); wanted > 0; wanted = ahead(drawer)) {
        for (; wanted > 0; wanted--) {
          rows += write(drawer)
          if (!target.isFull) continue
          yield rows
          rows = 0
        }
      }
    }
  }
  yield rows
}

/** A function that writes one trace as one row. */
function traceWriter(source: EncodingSource, templates: MetadataTemplates, target: CopyBuffer): (trace: Trace) => void {
  const chunks = traceChunks(source)
  const writeMetadata = metadataWriter(templates, target)
  const writePrompt = promptWriter(source.texts, target)
  const writeAnswer = answerWriter(source, target)
  return (trace) => {
    target.row(traceColumns.length)
    target.bytes(at(chunks.agent, trace.agent * environmentCodes.length + trace.environment))
    const end = target.position
    for (let i = 0; i < 4; i++) target.hexAt(end - 52 + i * 8, trace.id[i] ?? 0)
    target.timestamptzAt(end - 16, trace.midnight * 1000 + trace.micros).int4At(end - 4, trace.latencyMs)
    const request = (trace.version * intents.length + trace.intent) * priceTable.models.length + trace.model
    target.bytes(at(chunks.request, request))
    writeMetadata(trace)
    writePrompt(trace)
    if (trace.status === 0) {
      target.bytes(chunks.success)
      writeAnswer(trace)
    } else {
      target.bytes(
        at(chunks.failure, (trace.status === 2 ? 0 : 1 + trace.failure) * providers.length + providerOf(trace)),
      )
    }
    target.int4(trace.tokensInput).int4(trace.tokensOutput)
    target.int4(trace.tokensInput + trace.tokensOutput).numeric(trace.costMicros, 6)
    target.bytes(at(chunks.user, trace.user))
  }
}

interface TraceChunks {
  /** By agent and environment. */
  readonly agent: readonly Buffer[]
  /** By version, intent and model. */
  readonly request: readonly Buffer[]
  readonly user: readonly Buffer[]
  readonly success: Buffer
  /** By kind, time-outs first, and provider. */
  readonly failure: readonly Buffer[]
}

const providers = [...new Set(priceTable.models.map(({ provider }) => provider))]
const providerByModel = Uint8Array.from(priceTable.models, ({ provider }) => providers.indexOf(provider))

function providerOf({ model }: Trace): number {
  return providerByModel[model] ?? 0
}

/** Everything that many rows share, encoded once. */
function traceChunks(source: EncodingSource): TraceChunks {
  const { workspace, ids, population, profile } = source
  const { agents, users } = population
  const failureTexts = [
    (provider: string) => texts('timeout', timeoutText(provider, profile.latency.capMs), null),
    ...failureKinds.map((kind) => (provider: string) => texts('error', kind.text(provider), null)),
  ]
  return {
    agent: agents.flatMap((agent) =>
      environmentCodes.map((code) => {
        const department = departments[agent.department]
        const tags = [department?.code ?? '', department?.types[agent.type]?.name ?? '', code]
        return encodeFields((to) =>
          to
            .uuidText(workspace)
            .text(agent.agentId)
            .uuidText(ids('departments', department?.code ?? ''))
            .uuidText(ids('environments', code))
            .textArray(tags, 'varchar')
            .text('0'.repeat(32))
            .timestamptz(0)
            .int4(0),
        )
      }),
    ),
    request: versions.flatMap((version) =>
      intents.flatMap((intent) =>
        priceTable.models.map(({ name, provider }) => texts(version, intent, name, provider)),
      ),
    ),
    user: users.map(({ userId, segment }) => texts(userId, segment)),
    success: texts('success', null),
    failure: failureTexts.flatMap((text) => providers.map(text)),
  }
}

function promptWriter({ prompts }: TextPools, target: CopyBuffer): (trace: Trace) => void {
  const fields = prompts.map(({ bytes }) => encodeFields((to) => to.textBytes(bytes)))
  return ({ prompt, reference }) => {
    const start = target.position
    target.bytes(at(fields, prompt)).digitsAt(start + 4 + (prompts[prompt]?.numberAt ?? 0), reference, digitsOfNumbers)
  }
}

const digitsOfNumbers = 5

/** Letters, blanks and signs that a token stands for: about four in English, as every provider's documentation says. */
const charactersPerToken = 4

/**
 * Writes the beginning of an answer, and how much of it was left out.
 *
 * What is written and what is said to be left out add up to the length that the answer's
 * tokens stand for. An answer of few tokens gets a text that is no longer than they are.
 */
function answerWriter({ texts: { answers }, profile }: EncodingSource, target: CopyBuffer): (trace: Trace) => void {
  const { perIntent } = profile.texts
  const lengths = Uint16Array.from(answers, ({ characters }) => characters)
  const more = Buffer.from(' … [+')
  const end = Buffer.from(' characters]')
  return (trace) => {
    const pool = trace.prompt - (trace.prompt % perIntent)
    const characters = (trace.tokensOutput - trace.tokensReasoning) * charactersPerToken
    let fitting = perIntent
    while (fitting > 1 && (lengths[pool + fitting - 1] ?? 0) > characters) fitting--
    const answer = pool + Math.floor(trace.answerDraw * fitting)
    const rest = characters - (lengths[answer] ?? 0)
    const { bytes, numberAt } = answers[answer] as Text
    target.open()
    const start = target.position
    target.bytes(bytes).digitsAt(start + numberAt, trace.reference, digitsOfNumbers)
    if (rest > end.length) target.bytes(more).digits(rest).bytes(end)
    target.close()
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
function evaluationWriter(
  { workspace, population, runId, mark }: EncodingSource,
  target: CopyBuffer,
): (trace: Trace, judgement: Judgement) => void {
  const heads = population.agents.map(({ agentId }: Agent) =>
    encodeFields((to) => to.uuidText(workspace).text(agentId).text(evaluator).text('quality').jsonb({ obs_run: mark })),
  )
  const verdicts = Object.fromEntries(
    Object.entries(comments).map(([key, comment]) => [
      key,
      [false, true].map((isPassing) => encodeFields((to) => to.bool(isPassing).text(comment))),
    ]),
  )
  const writeId = uuidWriter(runId, target)
  return (trace, { scoreHundredths, afterMs }) => {
    const micros = trace.midnight * 1000 + trace.micros
    const judged = micros + afterMs * 1000
    target.row(evaluationColumns.length).bytes(at(heads, trace.agent))
    writeId(trace)
    writeTraceId(target, trace.id)
    target.timestamptz(micros).numeric(scoreHundredths, 2)
    const isPassing = scoreHundredths >= passingScore * 100
    target.bytes(verdicts[verdictOf(trace, scoreHundredths)]?.[isPassing ? 1 : 0] ?? nothing)
    target.timestamptz(judged).timestamptz(judged)
  }
}

function verdictOf(trace: Trace, scoreHundredths: number): keyof typeof comments {
  if (trace.status !== 0) return 'failed'
  if (scoreHundredths < passingScore * 100) return 'poor'
  return scoreHundredths < 85_00 ? 'fair' : 'good'
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

function writeTraceId(target: CopyBuffer, id: Uint32Array): void {
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
