import { ObsError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import type { Migration } from '../migration.js'
import { countOf, type Difference, describeDifference } from './difference.js'

/** The database is not what the migrations up to a version build; nothing was changed. */
export class BaselineDiffersError extends ObsError {
  constructor(
    readonly migration: Migration,
    readonly difference: Difference,
    message: string,
  ) {
    const { version } = migration
    super(`${message}\n${describeDifference(difference)}`, {
      code: 'baseline_differs',
      hint: `Change the database until the two agree, or record it as it is with obs migrate baseline --to ${version} --accept-differences; nothing was changed.`,
      details: { version, missing: difference.missing, extra: difference.extra },
    })
  }
}

/** For a version that a person named. */
export function differsFrom(migration: Migration, difference: Difference): BaselineDiffersError {
  const message = `the database is not what the migrations up to ${migration.id} build: ${countOf(difference)}`
  return new BaselineDiffersError(migration, difference, message)
}

/** For a search in which no version fitted. */
export function matchesNone(pack: string, nearest: Migration, difference: Difference, stuck: string | undefined) {
  const message = `the database matches no version of ${pack}; the nearest is ${nearest.id}, with ${countOf(difference)}`
  return new BaselineDiffersError(nearest, difference, stuck === undefined ? message : `${message} (${stuck})`)
}

/** Several versions build exactly what is there, because they differ in data alone. */
export class BaselineUnclearError extends ObsError {
  constructor(readonly migrations: readonly Migration[]) {
    super(`the database looks the same after each of ${migrations.map((one) => one.id).join(', ')}`, {
      code: 'baseline_unclear',
      hint: 'Look into the data which of them took effect, and name the last that did with --to; nothing was changed.',
      details: { versions: migrations.map((one) => one.version) },
    })
  }
}

/** What the migrations build is not to be had, so that there is nothing to compare with. */
export function cannotCompare(reason: string, cause?: unknown): ObsError {
  return new ObsError(`the database cannot be compared with its migrations: ${reason}`, {
    code: 'baseline_not_compared',
    cause,
    hint: 'Remove the obstacle, or record the version without a comparison with --to <version> --no-compare; nothing was changed.',
    details: { reason },
  })
}

/** A database without anything in it is not adopted but made. */
export function nothingToAdopt({ name, schema }: Pack): ObsError {
  return new ObsError(`the schema ${JSON.stringify(schema)} is empty, so there is nothing to adopt`, {
    code: 'nothing_to_adopt',
    hint: `Run obs migrate up to make what ${name} needs, or check which database and schema are meant; nothing was changed.`,
    details: { pack: name, schema },
  })
}
