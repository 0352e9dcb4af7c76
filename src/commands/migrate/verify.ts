import { Command, InvalidArgumentError } from 'commander'
import { exitCodes, UsageError } from '../../errors.js'
import { describeLocation } from '../../migrator/files/location.js'
import type { RoundtripOptions } from '../../migrator/roundtrip/verify-roundtrip.js'
import type { VerifiedMigration, VerifyResult } from '../../migrator/run/verify-applied.js'
import { printable } from '../../terminal/printable.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { parseCount, parseVersion } from './flags.js'
import { roundtripJson, roundtripText } from './render-roundtrip.js'

interface Options {
  readonly roundtrip?: boolean
  readonly from?: number
  readonly to?: number
  readonly rows?: number
  readonly seed?: number
  readonly sample?: string
}

export function migrateVerifyCommand(): Command {
  return new Command('verify')
    .description('run the verify scripts again, or prove what down brings back')
    .option('--roundtrip', 'run every migration up, down and up in a scratch database')
    .option('--from <version>', 'with --roundtrip: judge this version and those after it', parseVersion)
    .option('--to <version>', 'with --roundtrip: judge up to this version', parseVersion)
    .option('--rows <count>', 'with --roundtrip: generated rows a table (default: 20)', parseCount)
    .option('--seed <number>', 'with --roundtrip: the same seed makes the same rows (default: 1)', parseSeed)
    .option('--sample <file>', 'with --roundtrip: SQL to run before the first migration, a dump for one')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate verify                      the verify scripts of what is applied, read-only
  $ obs migrate verify --roundtrip
  $ obs migrate verify --roundtrip --from 12 --json | jq '.migrations[].label'

Labels of a round trip: lossless: down brings back the schema and every value, up again ends
where it ended before. schema-only: the schema comes back, some values do not. irreversible:
there is no down, it fails, or it leaves another schema. A migration that says so itself
(-- obs: lossy <reason>, -- obs: irreversible <reason>) is no failure. The scratch database is
made beside the one that is configured, which is not touched; the role has to be allowed to
create databases.

Exit codes: 0 everything holds; 1 a verify script returned rows or did not run, or a migration
does not come back and does not say so; 2 a file cannot be used.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        if (invocation.options.roundtrip) return answerRoundtrip(invocation)
        refuseRoundtripFlags(invocation.options)
        return answerVerify(invocation)
      }),
    )
}

/** Any whole number from 0 to 2³¹ - 1. */
function parseSeed(text: string): number {
  const seed = Number(text)
  if (/^\d+$/.test(text) && seed < 2 ** 31) return seed
  throw new InvalidArgumentError('It is a whole number from 0 to 2147483647.')
}

const roundtripFlags = ['from', 'to', 'rows', 'seed', 'sample'] as const

function refuseRoundtripFlags(options: Options): void {
  const given = roundtripFlags.filter((flag) => options[flag] !== undefined)
  if (given.length === 0) return
  throw new UsageError(`${given.map((flag) => `--${flag}`).join(' and ')} says something about --roundtrip`, {
    hint: 'Add --roundtrip, or leave it out.',
  })
}

async function answerRoundtrip(invocation: Invocation<Options>): Promise<void> {
  const { options, settings, context, style } = invocation
  const { verifyRoundtrip } = await import('../../migrator/roundtrip/verify-roundtrip.js')
  const { createSampler } = await import('../../generators/samples/sampler.js')
  const rows = { rows: options.rows ?? 20, seed: options.seed ?? 1 }
  const sampler = createSampler({ ...rows, signal: context.signal })
  const result = await withTarget(
    invocation,
    (database) => verifyRoundtrip(database, settings.pack, sampler, limits(options), context),
    { connections: 1, purpose: 'migrate verify', readOnly: true },
  )
  const shown = { ...result, pack: settings.pack.name, ...rows }
  invocation.answer({ json: roundtripJson(shown), text: roundtripText(shown, style) })
  if (result.migrations.some((one) => !one.ok)) process.exitCode = exitCodes.failed
}

function limits({ from, to, sample }: Options): RoundtripOptions {
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(sample === undefined ? {} : { sample }),
  }
}

async function answerVerify(invocation: Invocation<Options>): Promise<void> {
  const { settings, context, style } = invocation
  const { verifyApplied } = await import('../../migrator/run/verify-applied.js')
  const result = await withTarget(invocation, (database) => verifyApplied(database, settings.pack, context), {
    connections: 1,
    purpose: 'migrate verify',
    readOnly: true,
  })
  const { name } = settings.pack
  invocation.answer({ json: verifyJson(name, result), text: verifyText(name, result, style) })
  if (result.migrations.some(isFailure)) process.exitCode = exitCodes.failed
}

function isFailure({ state }: VerifiedMigration): boolean {
  return state === 'rows' || state === 'error'
}

function verifyJson(pack: string, { current, migrations }: VerifyResult) {
  return { pack, current, failed: migrations.filter(isFailure).length, migrations }
}

function verifyText(pack: string, { current, migrations }: VerifyResult, style: Style): string {
  if (migrations.length === 0) return `${pack}: nothing is applied, so there is nothing to verify`
  const failed = migrations.filter(isFailure)
  const checked = migrations.filter((one) => one.state !== 'none').length
  const verdict =
    failed.length === 0
      ? style.good(`${checked} of ${migrations.length} applied migrations have a verify script, and all of them hold`)
      : style.bad(`${failed.length} of ${checked} verify scripts do not hold`)
  return [
    `${style.strong(pack)} at version ${current}`,
    '',
    verifyTable(migrations, style),
    '',
    ...failed.flatMap(explain),
    verdict,
  ].join('\n')
}

function verifyTable(migrations: readonly VerifiedMigration[], style: Style): string {
  const words = { passed: style.good('holds'), rows: style.bad('rows'), error: style.bad('error'), none: 'no script' }
  return renderTable(
    [{ title: 'version', align: 'right' }, { title: 'name' }, { title: 'verify' }],
    migrations.map(({ version, name, state }) => [String(version), name, words[state]]),
  )
}

function explain({ version, name, rows, sample, error, location }: VerifiedMigration): readonly string[] {
  const what =
    error ??
    `it returned ${rows} ${rows === 1 ? 'row' : 'rows'} where none may be, the first is ${JSON.stringify(sample)}`
  return [
    `${version} ${name}: ${printable(what)}`,
    ...(location ? [`  at ${describeLocation(location)}`, printable(location.snippet).replace(/^/gm, '  ')] : []),
    '',
  ]
}
