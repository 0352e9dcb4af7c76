import { z } from 'zod'

/**
 * The ground truth of a run with planted faults: what `obs seed --faults` writes and
 * `obs validate --score` reads.
 */
const faultManifestSchema = z.object({
  format: z.literal(1),
  run_id: z.string().min(1),
  pack: z.string(),
  profile: z.string(),
  seed: z.int(),
  as_of: z.string(),
  workspace_id: z.string(),
  faults: z.array(
    z.object({
      name: z.string(),
      summary: z.string(),
      table: z.string(),
      /** The column that the keys are of. */
      key: z.string(),
      /** Share of the rows that can have it. */
      rate: z.number(),
      /** `rows`: each key names something wrong. `mix`: the rows are right one by one, their shares are not. */
      seen_in: z.enum(['rows', 'mix']),
      /** The checks that have to notice. */
      checks: z.array(z.string()),
      /** Checks that may complain of the same rows. */
      also_seen_by: z.array(z.string()),
      /** How many were planted. */
      planted: z.int(),
      /** The keys of what was planted, in ascending order; left out for `mix`. */
      keys: z.array(z.string()),
    }),
  ),
  /** Faults that were not planted because the schema forbids them. */
  impossible: z.array(z.object({ what: z.string(), because: z.string() })),
})

export type FaultManifest = z.infer<typeof faultManifestSchema>
export type PlantedFault = FaultManifest['faults'][number]

/** @returns the manifest, or the reasons why `value` is none. */
export function parseFaultManifest(value: unknown): FaultManifest | readonly string[] {
  const parsed = faultManifestSchema.safeParse(value)
  if (parsed.success) return parsed.data
  return parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the document'}: ${message}`)
}
