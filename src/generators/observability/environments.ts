import type { EnvironmentCode } from './profiles.js'

export interface Environment {
  readonly code: EnvironmentCode
  readonly name: string
  readonly description: string
  readonly isProduction: boolean
  readonly requiresApproval: boolean
}

/** The three environments of every workspace, as the migration describes them. */
export const environments: readonly Environment[] = [
  {
    code: 'production',
    name: 'Production',
    description: 'Serves real users',
    isProduction: true,
    requiresApproval: true,
  },
  {
    code: 'staging',
    name: 'Staging',
    description: 'Rehearses a release',
    isProduction: false,
    requiresApproval: true,
  },
  {
    code: 'development',
    name: 'Development',
    description: 'Where agents are built',
    isProduction: false,
    requiresApproval: false,
  },
]
