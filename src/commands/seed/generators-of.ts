import { UsageError } from '../../errors.js'
import type { SeedPack } from '../../generators/pack.js'
import type { Pack } from '../../packs.js'

/** The generators of the shipped packs. */
const generatorsByPack: Readonly<Record<string, () => Promise<SeedPack>>> = {
  observability: async () => (await import('../../generators/observability/pack.js')).observability,
}

/** The generators of a pack: its own plan, or those that come with obs. @throws UsageError when it has none. */
export async function generatorsOf({ name, seed }: Pick<Pack, 'name' | 'seed'>): Promise<SeedPack> {
  if (seed) return (await import('../../generators/library/pack.js')).libraryPack(name, seed)
  const load = generatorsByPack[name]
  if (load) return load()
  throw new UsageError(`the pack ${JSON.stringify(name)} has no plan of generated data`, {
    code: 'no_generators',
    hint: `Describe its tables under "seed" in the configuration (obs seed --infer proposes a plan), or choose --pack ${Object.keys(generatorsByPack).join(' or ')}.`,
    details: { pack: name },
  })
}
