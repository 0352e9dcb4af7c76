import { UsageError } from '../../errors.js'
import type { SeedPack } from '../../generators/pack.js'

/** The generators of the shipped packs; a pack of somebody's own has none. */
const generatorsByPack: Readonly<Record<string, () => Promise<SeedPack>>> = {
  observability: async () => (await import('../../generators/observability/pack.js')).observability,
}

/** @throws UsageError when the pack has none. */
export async function generatorsOf(pack: string): Promise<SeedPack> {
  const load = generatorsByPack[pack]
  if (load) return load()
  throw new UsageError(`the pack ${JSON.stringify(pack)} has no generators`, {
    code: 'no_generators',
    hint: `Choose --pack ${Object.keys(generatorsByPack).join(' or ')}.`,
    details: { pack },
  })
}
