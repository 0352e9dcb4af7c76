import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { exitCodes, ObsError, UsageError } from '../errors.js'
import { type FaultManifest, parseFaultManifest } from '../fault-manifest.js'
import { scoreText } from '../reports/score.js'
import { refuseFolder, writeReport } from '../reports/write-report.js'
import { createStyle } from '../terminal/style.js'
import type { ObservabilityFacts, ObservabilitySuite } from '../validators/observability/facts.js'
import { faultDigest } from '../validators/observability/seed-runs.js'
import { scoreChecks } from '../validators/score.js'
import { type Invocation, withTarget } from './invocation.js'

interface ScoreFlags {
  readonly threshold?: number
  readonly output?: string
  readonly format?: { readonly name: string }
}

/** `obs validate --score`: how well the checks find what was planted. */
export async function runScore(
  invocation: Invocation<ScoreFlags>,
  file: string,
  suites: readonly ObservabilitySuite[],
  facts: ObservabilityFacts,
): Promise<void> {
  const { options, settings, context, style, terminal } = invocation
  refuseFormat(options.format?.name)
  const output = options.output === undefined ? undefined : resolve(options.output)
  if (output !== undefined) await refuseFolder(output)
  const { manifest, digest } = await readManifest(file)
  const { schema } = settings.pack
  const score = await withTarget(
    invocation,
    async (database) => {
      await refuseOtherDatabase(await faultDigest(database.sql, manifest.run_id), manifest, digest, file)
      return scoreChecks(database, suites, manifest, { schema, facts, threshold: options.threshold ?? 1 }, context)
    },
    { purpose: 'validate', connections: 1, readOnly: true },
  )
  const isJson = options.format?.name === 'json'
  const json = JSON.stringify(score, null, 2)
  if (output !== undefined) await writeReport(output, isJson ? json : scoreText(score, createStyle(false), 120))
  invocation.answer({ json: score, text: isJson ? json : scoreText(score, style, terminal.width) })
  if (!score.passed) process.exitCode = exitCodes.failed
}

function refuseFormat(format: string | undefined): void {
  if (format === undefined || format === 'table' || format === 'json') return
  throw new UsageError(`a score has no ${format} form`, {
    code: 'no_score_format',
    hint: 'Choose --format table or json.',
    details: { format },
  })
}

async function readManifest(file: string): Promise<{ readonly manifest: FaultManifest; readonly digest: string }> {
  const text = await readFile(resolve(file), 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`--score cannot be read: ${reason}`, {
      code: 'no_manifest',
      hint: 'Name the file that obs seed --faults wrote.',
      cause,
    })
  })
  const manifest = parseFaultManifest(parseJson(text, file))
  if (!('run_id' in manifest)) {
    throw new UsageError(`${file} is no manifest of planted faults: ${manifest.slice(0, 3).join('; ')}`, {
      code: 'invalid_manifest',
      hint: 'Name the file that obs seed --faults wrote.',
      details: { file, problems: manifest },
    })
  }
  return { manifest, digest: createHash('sha256').update(text.trimEnd()).digest('hex') }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UsageError(`${file} is not JSON: ${cause instanceof Error ? cause.message : cause}`, {
      code: 'invalid_manifest',
      hint: 'Name the file that obs seed --faults wrote.',
      cause,
    })
  }
}

/** A truth about other rows would make every check look bad. */
async function refuseOtherDatabase(
  recorded: string | null | undefined,
  { run_id }: FaultManifest,
  digest: string,
  file: string,
): Promise<void> {
  if (recorded === digest) return
  const problem =
    recorded === undefined
      ? `this database has no run ${run_id}`
      : recorded === null
        ? `run ${run_id} of this database was made without faults`
        : `${file} is not the manifest that run ${run_id} was made with`
  throw new ObsError(problem, {
    code: 'other_run',
    hint: 'Choose the database with --database-url, or the manifest that its run wrote.',
    details: { run_id, file },
  })
}
