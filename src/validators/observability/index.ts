import { distributionSuite } from './distribution.js'
import type { ObservabilitySuite } from './facts.js'
import { integritySuite } from './integrity.js'
import { preservationSuite } from './preservation.js'
import { schemaSuite } from './schema.js'

/** The validation suites of the observability pack, in the order they run. */
export const observabilitySuites: readonly ObservabilitySuite[] = [
  schemaSuite,
  integritySuite,
  distributionSuite,
  preservationSuite,
]
