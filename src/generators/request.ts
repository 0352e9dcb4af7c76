import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import type { FaultRequest } from './faults/record-truth.js'
import type { SeedPack } from './pack.js'

/** What to seed. */
export interface SeedOptions {
  /** The generators of the pack. */
  readonly generators: SeedPack
  /** The schema that the pack's tables live in, `public` by default. */
  readonly schema?: string
  /** Length of the window, 1 to 3650 days. */
  readonly days: number
  /** The end of the window, exclusive; the caller decides what "now" is. */
  readonly asOf: Date
  /** 42 by default. */
  readonly seed?: number
  /** The first of the pack's by default. */
  readonly profile?: string | undefined
  /** Multiplies the profile's volume. */
  readonly scale?: number
  /** By default the only workspace of the database, else the pack's demo workspace. */
  readonly workspace?: string | undefined
  /**
   * `first` (the default) refuses a workspace that has synthetic rows already, `append`
   * adds a further run to them, `replace` removes them first.
   */
  readonly mode?: SeedMode
  /** Threads that generate and connections that load; as many as the machine has cores by default, at most 8. */
  readonly workers?: number | undefined
  /** Whether the steps of every trace are made as well, by packs that have them. */
  readonly spans?: boolean | undefined
  /** Faults to plant, and where the truth about them is written down. */
  readonly faults?: FaultRequest | undefined
  /** Milliseconds to wait for a table that somebody else has locked; 15 seconds by default. */
  readonly lockTimeout?: number
}

export type SeedMode = 'first' | 'append' | 'replace'

/** Options with every default filled in. */
export interface SeedRequest {
  readonly generators: SeedPack
  readonly schema: string
  readonly days: number
  readonly asOf: Date
  readonly seed: number
  readonly profile: string
  readonly scale: number
  readonly workspace: string | undefined
  readonly mode: SeedMode
  readonly workers: number
  readonly spans: boolean
  readonly faults: FaultRequest | undefined
  readonly lockTimeout: number
}

const optionsSchema = z.object({
  days: z.int('days must be a whole number').min(1, 'days must be at least 1').max(3650, 'days must be at most 3650'),
  asOf: z.date('asOf must be a time'),
  seed: z.int('seed must be a whole number').min(0, 'seed must not be negative').default(42),
  profile: z.string().optional(),
  scale: z.number().positive('scale must be greater than 0').max(1000, 'scale must be at most 1000').default(1),
  workspace: z.guid('workspace must be a UUID').optional(),
  schema: z.string().default('public'),
  mode: z.enum(['first', 'append', 'replace']).default('first'),
  workers: z
    .int('workers must be a whole number')
    .min(1, 'workers must be at least 1')
    .max(64, 'workers must be at most 64')
    .optional(),
  spans: z.boolean().default(false),
  lockTimeout: z.int().positive('lockTimeout must be at least 1').default(15_000),
})

/** @throws UsageError naming every option that cannot be used. */
export function checkOptions({ generators, faults, ...options }: SeedOptions): SeedRequest {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => issue.message)
    throw new UsageError(problems.join('\n'), { code: 'invalid_seed_options', details: { problems } })
  }
  const { workspace, workers = defaultWorkers(), ...rest } = parsed.data
  const names = generators.profiles.map(({ name }) => name)
  const profile = parsed.data.profile ?? names[0] ?? ''
  if (!names.includes(profile)) throw unknownProfile(profile, names)
  return { ...rest, generators, faults, profile, workers, workspace: workspace?.toLowerCase() }
}

export function defaultWorkers(): number {
  return Math.min(8, availableParallelism())
}

function unknownProfile(profile: string, names: readonly string[]): UsageError {
  const guess = nearest(profile, names)
  const suggestion = guess ? `, did you mean ${JSON.stringify(guess)}?` : ''
  return new UsageError(`unknown profile ${JSON.stringify(profile)}${suggestion}`, {
    code: 'unknown_profile',
    hint: `Choose one of ${names.join(', ')} with --profile.`,
    details: { profile, profiles: names },
  })
}
