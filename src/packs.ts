import { join, resolve } from 'node:path'
import { UsageError } from './errors.js'
import type { SeedSpec } from './generators/library/spec.js'
import { packageRoot } from './package.js'
import { nearest } from './suggest.js'

/** A named schema that obs can manage. */
export interface Pack {
  readonly name: string
  /** Absolute folder of its migration files. */
  readonly migrations: string
  /** The schema of the database that its tables live in. */
  readonly schema: string
  /** The schema that its migration history is kept in, normally `obs`. */
  readonly historySchema: string
  /** How its tables are filled, for a pack of somebody's own. */
  readonly seed?: SeedSpec | undefined
  /** True for the packs that come with obs, whose migrations nobody edits in place. */
  readonly shipped: boolean
}

const observability: Pack = {
  name: 'observability',
  migrations: join(packageRoot, 'src/migrations/observability'),
  schema: 'public',
  historySchema: 'obs',
  shipped: true,
}

/** A pack as a configuration file describes it; `migrations` is relative to that file. */
export interface ConfiguredPack {
  readonly name: string
  readonly migrations: string
  readonly schema: string
  readonly historySchema: string
  readonly seed?: SeedSpec | undefined
}

/**
 * Picks the pack called `name`.
 *
 * `source` says where the name was found. Without a name it is the only configured pack, or `observability` when there is none.
 *
 * @throws UsageError when no pack has that name, or when several could be meant.
 */
export function resolvePack(
  name: string | undefined,
  configured: readonly ConfiguredPack[],
  folder: string,
  source = '--pack',
): Pack {
  const own = configured.map((pack) => ({ ...pack, migrations: resolve(folder, pack.migrations), shipped: false }))
  const packs = [...own, ...(own.some((pack) => pack.name === observability.name) ? [] : [observability])]
  if (name === undefined) return onlyPack(own)
  const pack = packs.find((candidate) => candidate.name === name)
  if (pack) return pack
  const names = packs.map((candidate) => candidate.name)
  const guess = nearest(name, names)
  throw new UsageError(
    `unknown pack ${JSON.stringify(name)} in ${source}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_pack',
      hint: `Choose one of ${names.join(', ')} with --pack.`,
      details: { pack: name, source, packs: names },
    },
  )
}

function onlyPack(own: readonly Pack[]): Pack {
  if (own.length > 1) {
    const names = own.map((pack) => pack.name)
    throw new UsageError(`the configuration names ${own.length} packs: ${names.join(', ')}`, {
      code: 'pack_not_chosen',
      hint: `Choose one with --pack, or set "pack" in the configuration file.`,
      details: { packs: names },
    })
  }
  return own[0] ?? observability
}
