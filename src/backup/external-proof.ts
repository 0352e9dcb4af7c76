import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import type { RunContext } from '../context.js'
import { throwIfAborted } from '../database/connect.js'
import { codeOf, ObsError } from '../errors.js'
import { type CommandEnding, describeEnding, runCommand } from '../run-command.js'

/** Where the proof comes from that another system's backup is recent. */
export type ProofSource =
  | {
      readonly kind: 'command'
      /** Program and arguments. It ends with 0 when there is a backup, and may print when that was made. */
      readonly words: readonly string[]
    }
  | {
      readonly kind: 'file'
      /** Absolute path of a file that the other system writes with every backup. */
      readonly path: string
    }

export interface ProofDemand {
  readonly source: ProofSource
  /** How old the backup may be, in milliseconds. */
  readonly maxAge: number
}

/** What was proven. */
export interface ExternalProof {
  /** When the other backup was made; null when the command did not say. */
  readonly at: Date | null
  /** The command or the file, for people. */
  readonly by: string
}

/** How long the command may take, in milliseconds. */
const timeLimit = 300_000
/** Clocks of two machines may differ by this much, in milliseconds. */
const clockTolerance = 300_000

/**
 * Demands proof that another system's backup is recent.
 *
 * @throws ObsError `no_backup_proof` when there is none, or it is too old.
 */
export async function demandProof(
  { source, maxAge }: ProofDemand,
  context: RunContext,
  now = Date.now(),
): Promise<ExternalProof> {
  context.progress.step('asking for proof of the other backup')
  const proof = source.kind === 'file' ? await proofOfFile(source.path) : await proofOfCommand(source.words, context)
  if (proof.at === null) return proof
  const age = now - proof.at.getTime()
  if (age < -clockTolerance) throw unproven(proof.by, `says ${proof.at.toISOString()}, which is yet to come`)
  if (age > maxAge) {
    throw unproven(
      proof.by,
      `says ${proof.at.toISOString()}, ${formatAge(age)} ago; at most ${formatAge(maxAge)} are allowed`,
    )
  }
  return proof
}

async function proofOfFile(path: string): Promise<ExternalProof> {
  const found = await stat(path).catch((error: unknown) => {
    throw unproven(path, `cannot be looked at (${codeOf(error)})`)
  })
  if (!found.isFile()) throw unproven(path, 'is not a file')
  if (found.size === 0) throw unproven(path, 'is empty')
  return { at: found.mtime, by: path }
}

async function proofOfCommand(words: readonly string[], { signal, progress }: RunContext): Promise<ExternalProof> {
  const by = basename(words[0] ?? '')
  let said = ''
  const ending = await runCommand({
    words,
    timeLimit,
    signal,
    onOutput: (text) => {
      said = (said + text).slice(-2000)
    },
  })
  throwIfAborted(signal)
  if (ending.how !== 'ended' || ending.code !== 0) throw unproven(by, describeFailure(ending, said))
  return { at: timeIn(ending, by, progress), by }
}

function describeFailure(ending: CommandEnding, said: string): string {
  const words = said.trim()
  return words === '' ? describeEnding(ending) : `${describeEnding(ending)}: ${words}`
}

const isoTime = z.iso.datetime({ offset: true })

/** Whatever is not a time is not taken for one: a date that was misread would be proof of nothing. */
function timeIn({ stdout }: CommandEnding, by: string, progress: RunContext['progress']): Date | null {
  const text = stdout.trim()
  if (text === '') {
    progress.warn(`${by} did not print when the backup was made, so its age was not checked`)
    return null
  }
  const time = isoTime.safeParse(text)
  if (time.success) return new Date(time.data)
  throw unproven(by, `printed what is not a time such as 2026-11-22T09:30:15Z: ${JSON.stringify(text.slice(0, 100))}`)
}

function unproven(by: string, problem: string): ObsError {
  return new ObsError(`there is no proof of a recent backup: ${by} ${problem}`, {
    code: 'no_backup_proof',
    hint: 'See to the other backup, or let obs make one with --backup full; nothing was changed.',
    details: { by, problem },
  })
}

function formatAge(milliseconds: number): string {
  const hours = milliseconds / 3_600_000
  if (hours < 1) return `${Math.round(hours * 60)} minutes`
  return hours < 48 ? `${Math.round(hours * 10) / 10} hours` : `${Math.round(hours / 24)} days`
}
