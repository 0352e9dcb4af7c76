import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ObsError, UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { readFiles } from '../files/read-files.js'
import { loadParser } from '../statements/parser.js'
import { compareSides, type Finding } from './compare.js'
import { filesAt, openRepository } from './git.js'
import { isMigrationFile, type NamedText, piecesOf } from './pieces.js'

export interface CheckResult {
  readonly pack: string
  readonly folder: string
  readonly base: {
    readonly ref: string
    readonly commit: string
    /** Where the branches parted. */
    readonly fork: string
    /** How many migrations the base holds. */
    readonly migrations: number
  }
  /** How many migrations the folder holds. */
  readonly migrations: number
  readonly findings: readonly Finding[]
  /** True when nothing that was found is an error. */
  readonly passed: boolean
}

/**
 * Compares the migrations of a folder, as they are on the disk, with those of a git ref,
 * before the merge and without a database: late, duplicate, edited, deleted and renamed
 * ones, and new ones without a down.
 *
 * git is only asked what it holds; nothing of the base is run.
 *
 * @throws UsageError without a git or a repository, for a ref that names no commit, and for a folder that cannot be read.
 */
export async function checkAgainstBase(pack: Pack, ref: string): Promise<CheckResult> {
  const folder = pack.migrations
  const files = await filesIn(folder)
  const repository = await openRepository(folder, ref)
  await loadParser()
  const at = async (commit: string) => piecesOf(folder, await filesAt(folder, repository, commit, isMigrationFile))
  const ours = piecesOf(folder, files)
  const base = await at(repository.base)
  const fork = repository.fork === repository.base ? base : await at(repository.fork)
  const findings = await compareSides({ ours, base, fork, ref })
  const versions = (pieces: typeof ours) => new Set(pieces.map((piece) => piece.version)).size
  return {
    pack: pack.name,
    folder,
    base: { ref, commit: repository.base, fork: repository.fork, migrations: versions(base) },
    migrations: versions(ours),
    findings,
    passed: findings.every((finding) => finding.severity !== 'error'),
  }
}

async function filesIn(folder: string): Promise<readonly NamedText[]> {
  const names = (
    await readdir(folder).catch((cause: unknown) => {
      throw new UsageError(`cannot read the migrations in ${folder}`, {
        code: 'migrations_unreadable',
        hint: 'Check the folder that "migrations" of the pack names in the configuration file.',
        cause,
        details: { folder },
      })
    })
  ).filter(isMigrationFile)
  const contents = await readFiles(names.map((name) => join(folder, name)))
  return contents.map((content, i) => {
    const name = names[i] ?? ''
    if ('error' in content) throw unreadable(name, content.error)
    if (content.text === undefined) throw unreadable(name, new Error('the file is not UTF-8 text'))
    return { name, text: content.text }
  })
}

function unreadable(name: string, cause: Error): ObsError {
  return new UsageError(`${name}: ${cause.message}`, { code: 'invalid_migrations', cause, details: { file: name } })
}
