import { loadSettings } from '../../config.js'
import { describeAddress, parseDatabaseUrl, type ServerAddress } from '../../database/address.js'
import { UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { type Invocation, targetAddress } from '../invocation.js'

/** One of two schemas to compare. */
export type Side =
  | { readonly kind: 'database'; readonly label: string; readonly address: ServerAddress }
  | { readonly kind: 'pack'; readonly label: string; readonly pack: Pack; readonly version: number | undefined }

/**
 * Reads what a person named: a URL, `pack:<name>`, `pack:<name>@<version>`, or `.` (also
 * `current`) for the database that the settings name.
 *
 * @throws UsageError that quotes nothing which could be a part of a password.
 */
export async function parseSide(text: string, position: string, invocation: Invocation<unknown>): Promise<Side> {
  if (text === '.' || text === 'current') return database(await targetAddress(invocation))
  if (text.startsWith('pack:')) return packSide(text, invocation)
  if (/^postgres(ql)?:\/\//.test(text)) return database(parseDatabaseUrl(text, position))
  throw new UsageError(`${position} is neither a database nor a pack`, {
    code: 'unknown_side',
    hint: 'Write a postgres:// URL, pack:<name>, pack:<name>@<version>, or . for the configured database.',
    details: { position },
  })
}

function database(address: ServerAddress): Side {
  return { kind: 'database', label: describeAddress(address), address }
}

async function packSide(text: string, { options }: Invocation<unknown>): Promise<Side> {
  const [, name = '', version] = /^pack:([^@]*)(?:@(.*))?$/s.exec(text) ?? []
  if (version !== undefined && !/^\d{1,15}$/.test(version)) {
    throw new UsageError(`${JSON.stringify(text)} names no version after the @`, {
      code: 'invalid_version',
      hint: 'Write a version as obs migrate status lists it, for example pack:observability@4.',
    })
  }
  const { pack } = await loadSettings({ ...options, pack: name }).catch((error: unknown) => {
    if (!(error instanceof UsageError) || error.code !== 'unknown_pack') throw error
    throw new UsageError(error.message.replace(' in --pack', ''), {
      code: error.code,
      hint: 'Name a pack of the configuration, or pack:observability.',
      ...(error.details ? { details: error.details } : {}),
    })
  })
  const label = version === undefined ? `pack ${pack.name}` : `pack ${pack.name} at version ${version}`
  return { kind: 'pack', label, pack, version: version === undefined ? undefined : Number(version) }
}
