import { ObsError } from '../../errors.js'

/** A backfill cannot be begun or gone on with; the batches that were committed stay. */
export class BackfillError extends ObsError {
  constructor(message: string, hint: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message, { code: 'backfill_refused', hint, details })
  }
}
