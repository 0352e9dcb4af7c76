import type { Migration } from '../migration.js'
import type { ForeignHistory, ForeignMigration } from './foreign-history.js'

/** A file of the pack that another tool has applied. */
export interface Match {
  readonly migration: Migration
  readonly foreign: ForeignMigration
}

export interface Matching {
  /** Lowest version first. */
  readonly matches: readonly Match[]
  readonly problems: readonly string[]
}

/**
 * Finds the file of each migration that another tool has applied; pure.
 *
 * A number is taken for the file's version, and the titles have to agree where the tool
 * keeps them. What has no number that could be a version is found by its title, if only
 * one file has it and the order of such files is the tool's own.
 */
export function matchFiles({ applied, upTo }: ForeignHistory, migrations: readonly Migration[]): Matching {
  const problems: string[] = []
  const found = new Map<number, Match>()
  for (const foreign of applied) {
    const match = find(foreign, migrations)
    if (typeof match === 'string') problems.push(match)
    else addTo(found, { migration: match, foreign }, problems)
  }
  problems.push(...disorder([...found.values()]))
  if (upTo && upTo.version === undefined) problems.push(`${upTo.label} stands for no version that a file could have`)
  for (const migration of migrations.filter((one) => one.version <= (upTo?.version ?? 0))) {
    if (upTo && !found.has(migration.version)) found.set(migration.version, { migration, foreign: unnamed(upTo) })
  }
  return { matches: [...found.values()].sort((a, b) => a.migration.version - b.migration.version), problems }
}

/** When the version that stands for all below it was reached says nothing about those. */
function unnamed(upTo: ForeignMigration): ForeignMigration {
  return { ...upTo, appliedAt: null, durationMs: null }
}

function addTo(found: Map<number, Match>, match: Match, problems: string[]): void {
  const other = found.get(match.migration.version)
  if (other) problems.push(`${other.foreign.label} and ${match.foreign.label} both stand for ${match.migration.id}`)
  else found.set(match.migration.version, match)
}

/** The file, or what is wrong. */
function find(foreign: ForeignMigration, migrations: readonly Migration[]): Migration | string {
  const same = migrations.find((migration) => plain(migration.id) === plain(foreign.label))
  if (same) return same
  return foreign.version === undefined ? findByTitle(foreign, migrations) : findByVersion(foreign, migrations)
}

function findByVersion({ label, version, title }: ForeignMigration, migrations: readonly Migration[]) {
  const migration = migrations.find((one) => one.version === version)
  if (!migration) return `${label} is applied, and there is no file of version ${version}`
  if (title === undefined || plain(title) === plain(migration.name)) return migration
  return `${label} is applied, and version ${version} is something else here: ${migration.id}`
}

function findByTitle({ label, title }: ForeignMigration, migrations: readonly Migration[]): Migration | string {
  const called = migrations.filter((one) => title !== undefined && plain(one.name) === plain(title))
  const [only, other] = called
  if (only && !other) return only
  if (only && other) return `${label} is applied, and several files are called so: ${only.id}, ${other.id}`
  const wanted = title === undefined ? 'that stands for it' : `called <version>_${plain(title)}`
  return `${label} is applied, and there is no file ${wanted}`
}

/** Files found by title must come in the tool's own order, or `up` and `down` would take another. */
function disorder(matches: readonly Match[]): readonly string[] {
  const byTitle = matches.filter(({ foreign }) => foreign.version === undefined)
  return byTitle.flatMap((match, i) => {
    const before = byTitle[i - 1]
    if (!before || before.migration.version < match.migration.version) return []
    return [
      `${before.foreign.label} comes before ${match.foreign.label}, but ${before.migration.id} after ${match.migration.id}`,
    ]
  })
}

/** A title without what differs between the ways to write it: case, separators, zeros in front. */
function plain(title: string): string {
  return title
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '')
    .replace(/^0+(?=\d)/, '')
}
