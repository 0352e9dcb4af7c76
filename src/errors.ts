/** What the process tells its caller; part of the command-line contract. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  connection: 3,
  lockTimeout: 4,
  dirty: 5,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The facts an error is built from. */
export interface ErrorFacts {
  /** Stable snake_case identifier, the `code` of the JSON form. */
  readonly code: string
  readonly exitCode?: ExitCode
  /** What to do next: a sentence that starts with a verb. */
  readonly hint?: string
  /** Machine-readable facts for `--json`; never holds a secret. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** The family of errors that obs reports on purpose; anything else that is thrown is a defect. */
export class ObsError extends Error {
  readonly code: string
  readonly exitCode: ExitCode
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = new.target.name
    this.code = facts.code
    this.exitCode = facts.exitCode ?? exitCodes.failed
    this.hint = facts.hint
    this.details = facts.details
  }
}

/** A flag, file or environment variable that cannot be used as it stands; nothing was changed. */
export class UsageError extends ObsError {
  constructor(message: string, facts: Omit<ErrorFacts, 'code' | 'exitCode'> & { readonly code?: string } = {}) {
    super(message, { code: 'usage', ...facts, exitCode: exitCodes.usage })
  }
}

/** The person or the scheduler asked obs to stop, and it has cleaned up. */
export class InterruptedError extends ObsError {
  constructor(message = 'interrupted', facts: Omit<ErrorFacts, 'code' | 'exitCode'> = {}) {
    super(message, { code: 'interrupted', ...facts, exitCode: exitCodes.interrupted })
  }
}

/** The code of a system, driver or server error (`ENOENT`, `CONNECTION_CLOSED`, `42P04`), empty for anything else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
