import { readFile } from 'node:fs/promises'
import type { Session } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import { runStatement } from '../apply/run-script.js'
import { searchPath } from '../apply/step-run.js'
import { textChecksum } from '../checksum/checksum.js'
import { MigrationFilesError } from '../errors.js'
import { parseDirectives } from '../files/directives.js'
import type { Script } from '../migration.js'
import { type ParsedScript, parseScript } from '../statements/statements.js'

/** A file of SQL that makes what is there before the first migration: tables, rows, a dump. */
export interface SampleFile {
  readonly script: Script
  readonly parsed: ParsedScript
}

/**
 * Reads such a file.
 *
 * @throws UsageError when it cannot be read; MigrationFilesError when it is no SQL.
 */
export async function readSampleFile(file: string, serverVersion: number): Promise<SampleFile> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`cannot read the sample file ${file}`, {
      code: 'sample_unreadable',
      hint: 'Name a file of SQL with --sample; nothing was changed.',
      details: { file },
      cause,
    })
  })
  const { directives } = parseDirectives(file, text)
  const script: Script = {
    file,
    text,
    checksum: textChecksum(text),
    variant: null,
    // Outside a transaction everything may stand in it, also a begin and a commit.
    directives: { ...directives, noTransaction: true },
  }
  const { parsed, problems } = await parseScript(script, serverVersion)
  if (problems.length > 0) throw new MigrationFilesError(problems)
  return { script, parsed }
}

/** Runs it in the schema of the pack. */
export async function runSampleFile(session: Session, schema: string, { script, parsed }: SampleFile): Promise<void> {
  await session.unsafe(`set search_path to ${searchPath(schema)}`)
  for (const [i, statement] of parsed.statements.entries()) await runStatement(session, script, statement, i + 1)
  await session.unsafe('reset all')
}
