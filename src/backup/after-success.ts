import { basename } from 'node:path'
import type { RunContext } from '../context.js'
import { InterruptedError, ObsError } from '../errors.js'
import { describeEnding, runCommand } from '../run-command.js'

/** A program that takes a finished backup somewhere else. */
export interface AfterSuccess {
  /** Program and arguments. */
  readonly words: readonly string[]
  /** Milliseconds it may take. */
  readonly timeLimit: number
  /** Given what it prints. */
  readonly onOutput: (text: string) => void
}

/**
 * Runs the hook on a backup that is complete; nothing counts as success before it has ended well.
 *
 * It learns from its environment which backup it is: OBS_BACKUP_ID, OBS_BACKUP_PATH and OBS_BACKUP_BYTES.
 *
 * @throws ObsError `hook_failed`: the local backup is whole, and the message says where.
 */
export async function runAfterSuccess(
  backup: { readonly id: string; readonly path: string; readonly bytes: number },
  { words, timeLimit, onOutput }: AfterSuccess,
  { signal, progress }: RunContext,
): Promise<void> {
  const { id, path, bytes } = backup
  const name = basename(words[0] ?? '')
  progress.step(`running ${name} on the backup`)
  const variables = { OBS_BACKUP_ID: id, OBS_BACKUP_PATH: path, OBS_BACKUP_BYTES: String(bytes) }
  const ending = await runCommand({ words, variables, timeLimit, signal, onOutput })
  if (ending.how === 'ended' && ending.code === 0) return
  const where = `the backup ${id} itself is whole, in ${path}`
  if (ending.how === 'interrupted') {
    throw new InterruptedError(`interrupted while ${name} ran; ${where}`, {
      hint: 'Run the command by hand to bring the backup where it belongs.',
      details: { id, path },
    })
  }
  throw new ObsError(`${name} (--after-success) ${describeEnding(ending)}; ${where}`, {
    code: 'hook_failed',
    hint: 'See what it said above, and bring the backup where it belongs.',
    details: { id, path, command: name, exit_code: ending.code, how: ending.how },
  })
}
