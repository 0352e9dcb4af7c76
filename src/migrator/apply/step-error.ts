import { ObsError } from '../../errors.js'
import { type Failure, PreservationError } from '../errors.js'
import { indexOfPosition, locate } from '../files/location.js'
import type { Script } from '../migration.js'
import type { Statement } from '../statements/statements.js'
import { indexOfRow } from './run-copy.js'

/** A statement, a function or a check did not succeed; carries where. */
export class StepError extends Error {
  constructor(
    readonly failure: Failure,
    cause: unknown,
  ) {
    super(failure.message, { cause })
  }
}

/** Runs a part of a migration that is not one of its statements; an error says which file it belongs to. */
export async function atStep<T>(script: Script, work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new StepError(failureOf(error, script, undefined), error)
  }
}

/**
 * True when the server itself reported the error and lived on: then the statement was undone.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html (classes 08 and 57P)
 */
export function hadNoEffect({ sqlState, statement }: Failure): boolean {
  return statement !== undefined && (sqlState === undefined || !connectionLost.test(sqlState))
}

/** What the server said, with the place in the file where PostgreSQL names one. */
export function failureOf(error: unknown, script: Script, statement: Statement | undefined): Failure {
  if (error instanceof StepError) return error.failure
  const facts = factsOf(error)
  const index = statement && indexOfError(statement, facts)
  const advice = adviceOn(error, facts.code)
  return {
    message: messageOf(error, facts.code),
    ...(index === undefined ? {} : { location: locate(script.file, script.text, index) }),
    ...(facts.detail ? { detail: facts.detail } : {}),
    ...(facts.hint ? { serverHint: facts.hint } : {}),
    ...(facts.code ? { sqlState: facts.code } : {}),
    ...(advice ? { advice } : {}),
    ...(error instanceof ObsError ? { reason: error.code } : {}),
    ...(error instanceof PreservationError ? { losses: error.losses } : {}),
  }
}

function indexOfError(statement: Statement, { position, where }: ServerFacts): number {
  return indexOfRow(statement, where) ?? statement.index + indexOfPosition(statement.sql, position ?? 1)
}

/** SQLSTATE classes and the codes of the driver and of the socket. */
const connectionLost = /^(08|57P|CONNECTION_|ECONN|EPIPE)/

/** The driver names only its own code and the address. */
function messageOf(error: unknown, code: string | undefined): string {
  if (code !== undefined && /^[A-Z_]+$/.test(code) && connectionLost.test(code))
    return `the connection to the server was lost (${code})`
  return error instanceof Error ? error.message : String(error)
}

function adviceOn(error: unknown, code: string | undefined): string | undefined {
  if (error instanceof PreservationError) return `${error.hint} ${error.outcome}`
  if (error instanceof ObsError) return error.hint
  if (code === '25001')
    return 'Begin the file with -- obs: no-transaction, because the server refuses this statement in a transaction.'
  if (code === '55P03')
    return 'Run it again when the sessions that use the table are done, or go on trying for longer with --ddl-retry-for.'
  if (code !== undefined && connectionLost.test(code))
    return 'Check the server, then run obs migrate status to see where the database stands.'
  if (code === '42501') return 'Grant the right to the role, or connect as one that has it, and run the command again.'
  return undefined
}

interface ServerFacts {
  readonly code?: string
  readonly detail?: string
  readonly hint?: string
  readonly position?: number
  /** The context: which function, which line of a COPY. */
  readonly where?: string
}

/** Nothing when the error is one of obs's own: then it is not the server that speaks. */
function factsOf(error: unknown): ServerFacts {
  if (typeof error !== 'object' || error === null || error instanceof ObsError) return {}
  const text = (key: string) => {
    const value: unknown = Reflect.get(error, key)
    return typeof value === 'string' ? { [key]: value } : {}
  }
  const position = Number(Reflect.get(error, 'position'))
  return {
    ...text('code'),
    ...text('detail'),
    ...text('hint'),
    ...text('where'),
    ...(position > 0 ? { position } : {}),
  }
}
