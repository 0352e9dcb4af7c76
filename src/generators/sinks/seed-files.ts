import { resolve } from 'node:path'
import type { RunContext } from '../../context.js'
import { throwIfAborted } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import { obsVersion } from '../../package.js'
import { CopyBuffer } from '../copy-binary.js'
import { withTruth } from '../faults/record-truth.js'
import { settingsOf } from '../open-run.js'
import type {
  Column,
  FactTable,
  Incident,
  ReferenceIds,
  ReferenceTable,
  RunSettings,
  SeedPack,
  SeedPlan,
} from '../pack.js'
import { codedRows } from '../references.js'
import { checkOptions, type SeedOptions, type SeedRequest } from '../request.js'
import { writtenRowEncoder } from '../written-row.js'
import { type OutputFolder, type WrittenFile, withOutputFolder } from './folder.js'
import type { Encoder, SinkFormat } from './sink.js'

/** What to generate, and where to. */
export interface FilesOptions extends SeedOptions {
  readonly sink: SinkFormat
  /** The folder, where the sink writes files. */
  readonly output?: string | undefined
  readonly gzip?: boolean | undefined
}

/** What was generated without a database, in the form of the command's JSON and of the manifest. */
export interface FilesResult {
  readonly format: 1
  readonly run_id: string
  readonly profile: string
  readonly seed: number
  readonly as_of: string
  readonly days: number
  readonly scale: number
  readonly workspace_id: string
  readonly window: { readonly from: string; readonly to: string }
  readonly sink: string
  readonly output: string | null
  readonly tables: Readonly<Record<string, TableFile>>
  readonly rows_total: number
  readonly duration_ms: number
  readonly rows_per_second: number
  readonly incidents: readonly Incident[]
  readonly obs_version: string
}

export interface TableFile {
  readonly rows: number
  readonly file: string | null
  readonly bytes: number
  readonly sha256: string | null
}

export const manifestName = 'manifest.json'

/**
 * Generates a run into files, without a database.
 *
 * The rows are those that an empty database would get; ids of reference rows, which a
 * database may know better, are the derived ones. The files appear together, under
 * their names, once all of them are complete.
 *
 * @throws UsageError when an option cannot be used or the folder holds such files already.
 */
export async function seedFiles(options: FilesOptions, context: RunContext): Promise<FilesResult> {
  const { sink, output, gzip = false, ...seedOptions } = options
  const request = checkOptions(seedOptions)
  refuseOptions(request, sink, output, gzip)
  if (request.generators.prepare) throw needsDatabase(request.generators)
  const started = performance.now()
  const settings = settingsOf(request, workspaceOf(request), undefined)
  const plan = request.generators.plan(settings)
  const finish = (tables: Record<string, TableFile>): FilesResult => {
    const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0)
    const milliseconds = performance.now() - started
    return {
      format: 1,
      ...{ run_id: settings.runId, profile: settings.profile, seed: settings.seed, as_of: settings.asOf.toISOString() },
      ...{ days: settings.days, scale: settings.scale, workspace_id: settings.workspace },
      window: { from: new Date(plan.window.from).toISOString(), to: new Date(plan.window.to).toISOString() },
      ...{ sink: sink.name, output: output ?? null, tables, rows_total: rows },
      duration_ms: Math.round(milliseconds),
      rows_per_second: Math.round(rows / (milliseconds / 1000)),
      incidents: plan.incidents,
      obs_version: obsVersion(),
    }
  }
  const job: Job = { request, settings, plan, sink, gzip, context }
  if (sink.extension === undefined) return finish(await generate(job, undefined))
  const names = [...tablesOf(request.generators).map((table) => fileName(job, table)), manifestName]
  return withOutputFolder(resolve(output ?? ''), names, request.mode === 'replace', async (folder) => {
    const result = finish(await generate(job, folder))
    await folder.write(manifestName, once(Buffer.from(`${JSON.stringify(result, null, 2)}\n`)), context.signal)
    throwIfAborted(context.signal)
    await folder.publish(manifestName)
    return result
  })
}

interface Job {
  readonly request: SeedRequest
  readonly settings: RunSettings
  readonly plan: SeedPlan
  readonly sink: SinkFormat
  readonly gzip: boolean
  readonly context: RunContext
}

function refuseOptions({ mode }: SeedRequest, sink: SinkFormat, output: string | undefined, gzip: boolean): void {
  const problem =
    mode === 'append'
      ? '--append adds to a database, and --sink writes files'
      : sink.extension !== undefined && output === undefined
        ? `--sink ${sink.name} needs a folder`
        : sink.extension === undefined && (output !== undefined || gzip)
          ? '--sink null writes no files'
          : gzip && sink.name === 'parquet'
            ? '--gzip does not go with --sink parquet, whose columns are compressed already'
            : undefined
  if (problem === undefined) return
  throw new UsageError(problem, {
    code: 'sink_options',
    hint: 'Give --sink csv, ndjson or parquet with --output <folder>, or --sink null alone.',
  })
}

/** Without a database there is no workspace but the one that is named, or the demo's. */
function workspaceOf({ workspace, generators }: SeedRequest): string {
  return workspace ?? generators.workspaces?.demo ?? ''
}

function needsDatabase({ name }: SeedPack): UsageError {
  return new UsageError(`the plan of the pack ${JSON.stringify(name)} asks the database for its keys`, {
    code: 'sink_needs_database',
    hint: 'Load it with obs seed; --sink writes the packs that come with obs.',
    details: { pack: name },
  })
}

function tablesOf(pack: SeedPack): readonly string[] {
  return [
    ...(pack.workspaces ? [pack.workspaces.table] : []),
    ...Object.keys(pack.coded),
    ...pack.facts,
    ...Object.keys(pack.named),
  ]
}

function fileName({ sink, gzip }: Job, table: string): string {
  return `${table}.${sink.extension}${gzip ? '.gz' : ''}`
}

async function generate(job: Job, folder: OutputFolder | undefined): Promise<Record<string, TableFile>> {
  const { plan, request, context } = job
  const tables: Record<string, TableFile> = {}
  const references = await plan.references()
  for (const reference of references) {
    tables[reference.table] = await writeTable(job, folder, reference, referenceChunks(reference))
  }
  const ids = idsOf(references, request.generators)
  await withTruth(request, job.settings, plan, ids, context)
  for (const fact of await plan.facts(ids)) {
    context.progress.step(`generating ${fact.table}`)
    tables[fact.table] = await writeTable(job, folder, fact, factChunks(fact, job))
  }
  for (const reference of await plan.closing()) {
    tables[reference.table] = await writeTable(job, folder, reference, referenceChunks(reference))
  }
  return tables
}

/** Without a database the id of a reference row is the one that it was given. */
function idsOf(references: readonly ReferenceTable[], { coded }: SeedPack): ReferenceIds {
  const ids = new Map<string, string>()
  for (const [table, column] of Object.entries(coded)) {
    for (const { workspace, code, id } of codedRows(references, table, column)) {
      ids.set(`${workspace} ${table} ${code}`, id)
    }
  }
  return (table, code, workspace) => {
    const id = ids.get(`${workspace} ${table} ${code}`)
    if (id === undefined) throw new Error(`${table} has no ${code} in workspace ${workspace}`)
    return id
  }
}

interface Described {
  readonly table: string
  readonly columns: readonly Column[]
}

async function writeTable(
  job: Job,
  folder: OutputFolder | undefined,
  { table, columns }: Described,
  chunks: Iterable<Buffer>,
): Promise<TableFile> {
  const encoder = await job.sink.encoder(table, columns)
  const encoded = encodedChunks(encoder, chunks, job.context)
  const file = folder ? await folder.write(fileName(job, table), encoded, job.context.signal) : await discard(encoded)
  return { rows: encoder.rows, file: file?.name ?? null, bytes: file?.bytes ?? 0, sha256: file?.sha256 ?? null }
}

async function* encodedChunks(
  encoder: Encoder,
  chunks: Iterable<Buffer>,
  { signal }: RunContext,
): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    throwIfAborted(signal)
    const bytes = encoder.encode(chunk)
    if (bytes.length > 0) yield bytes
    // Without a file to wait for, Ctrl-C would have no chance.
    else await new Promise(setImmediate)
  }
  const rest = encoder.end()
  if (rest.length > 0) yield rest
}

async function discard(chunks: AsyncIterable<Buffer>): Promise<WrittenFile | undefined> {
  for await (const _ of chunks);
  return undefined
}

/** The chunks are written over by the next ones: an encoder is done with one before it asks for another. */
function* factChunks(fact: FactTable, { plan, context }: Job): Iterable<Buffer> {
  const buffer = new CopyBuffer()
  let rows = 0
  const whole = fact.axis === 'rows' ? { from: 0, to: fact.rows ?? 0 } : plan.window
  for (const written of fact.encode(whole, buffer)) {
    rows += written
    if (buffer.content.length > 0) yield buffer.content
    buffer.clear()
    context.progress.advance(rows, fact.rows, 'rows')
  }
}

function* referenceChunks({ table, columns, rows }: ReferenceTable): Iterable<Buffer> {
  const buffer = new CopyBuffer()
  const encode = writtenRowEncoder(table, columns)
  for (const row of rows) encode(row, buffer)
  yield buffer.content
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
