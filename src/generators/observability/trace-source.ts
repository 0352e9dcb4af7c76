import type { Calibration } from './calibration.js'
import type { PlannedIncident } from './incidents.js'
import type { Population } from './population.js'
import type { Profile } from './profiles.js'
import type { Volume } from './volume.js'

/** What a run's traces depend on. */
export interface TraceSource {
  readonly runId: string
  readonly profile: Profile
  readonly population: Population
  readonly window: { readonly from: number; readonly to: number }
  readonly incidents: readonly PlannedIncident[]
  readonly volume: Volume
  /** What the history is tuned by; asked for when the first trace is drawn. */
  readonly calibration: () => Calibration
}
