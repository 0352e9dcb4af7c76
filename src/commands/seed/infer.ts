import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { extname, relative, resolve } from 'node:path'
import { withSession } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import { type Inferred, inferPlan, specOf } from '../../generators/infer/infer.js'
import { renderConfig, renderJsonConfig } from '../../generators/infer/render.js'
import type { SeedSpec } from '../../generators/library/spec.js'
import { startOfDay } from '../days.js'
import { type Invocation, withTarget } from '../invocation.js'

export interface InferFlags {
  readonly infer?: boolean
  readonly rows: number
  readonly output?: string
  readonly days: number
  readonly asOf?: Date
  readonly seed: number
}

const day = 86_400_000

/** Reads a plan off the schema of the pack and prints it, or writes it to a file; loads nothing. */
export async function inferAndPrint(invocation: Invocation<InferFlags>): Promise<void> {
  const { options, settings } = invocation
  const output = options.output === undefined ? undefined : await chooseOutput(invocation, resolve(options.output))
  const inferred = await infer(invocation)
  const { pack } = settings
  const name = pack.shipped ? 'app' : pack.name
  const folder = pack.shipped ? './migrations' : `./${relative(process.cwd(), pack.migrations)}`
  const file = { pack: name, migrations: folder, schema: pack.schema }
  const isJson = output !== undefined && extname(output) === '.json'
  const text = isJson ? renderJsonConfig(specOf(inferred), file) : renderConfig(inferred, file)
  if (output !== undefined) await writeWhole(output, text)
  const written = output === undefined ? text.trimEnd() : summary(inferred, relative(process.cwd(), output))
  invocation.answer({ json: jsonOf(inferred, output), text: written })
}

/** Reads a plan off the schema of the pack. */
export async function infer(invocation: Invocation<InferFlags>): Promise<Inferred> {
  const { options, settings, context } = invocation
  const to = (options.asOf ?? startOfDay(new Date())).getTime()
  const run = { seed: options.seed, days: options.days, scale: 1, window: { from: to - options.days * day, to } }
  return withTarget(
    invocation,
    (database) =>
      withSession(database.sql, (session) =>
        inferPlan(session, settings.pack.schema, { rows: options.rows, run }, context),
      ),
    { purpose: 'infer', connections: 1 },
  )
}

/** @throws UsageError when the file exists and nobody said that it may be replaced, or has a name that says nothing. */
async function chooseOutput(invocation: Invocation<InferFlags>, path: string): Promise<string> {
  if (!['.ts', '.js', '.mjs', '.json'].includes(extname(path))) {
    throw new UsageError(`--output ${path} is none of .ts, .js, .mjs and .json`, {
      code: 'invalid_output',
      hint: 'Name a configuration file, for example obs.config.ts.',
      details: { path },
    })
  }
  if (existsSync(path)) await invocation.confirm(`${path} exists. Replace it?`)
  return path
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode: 0o644 })
  await rename(temporary, path)
}

function summary({ tables, left }: Inferred, path: string): string {
  const count = Object.keys(tables).length
  const leftOut = left.map(({ table, reason }) => `  ${table}: ${reason}`)
  return [
    `A plan of ${count} ${count === 1 ? 'table' : 'tables'} is written to ${path}.`,
    ...(leftOut.length > 0 ? ['Left out:', ...leftOut] : []),
    'Look it over, then run obs seed --explain and obs seed.',
  ].join('\n')
}

function jsonOf(inferred: Inferred, output: string | undefined): object {
  const plan: SeedSpec = specOf(inferred)
  const reasons = Object.entries(inferred.tables).map(([table, { columns, note }]) => [
    table,
    {
      note: note ?? null,
      columns: Object.fromEntries(Object.entries(columns).map(([name, { reason }]) => [name, reason])),
    },
  ])
  return { seed: plan, reasons: Object.fromEntries(reasons), left_out: inferred.left, written_to: output ?? null }
}
