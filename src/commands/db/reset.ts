import { Command } from 'commander'
import type { RunContext } from '../../context.js'
import {
  otherSessions,
  resetServer,
  runningServer,
  type ServerSession,
  serverStatus,
} from '../../database/embedded/server.js'
import { InterruptedError, ObsError } from '../../errors.js'
import { action } from '../invocation.js'
import { requireEmbedded } from './embedded-only.js'

interface Options {
  readonly force?: boolean
}

export function resetDbCommand(): Command {
  return new Command('reset')
    .description('delete the embedded server with all its data')
    .option('--force', 'even while others are connected')
    .addHelpText(
      'after',
      `
Asks first; --yes answers. Refuses while others are connected, unless --force.
Backups stay. The next command that needs the server makes a new, empty one.

Examples:
  $ obs db reset
  $ obs db reset --yes --force`,
    )
    .action(
      action<Options, []>(async ({ options, settings, context, answer, confirm }) => {
        requireEmbedded(settings, 'obs db reset')
        const { stateDirectory } = settings
        if (!options.force) await refuseWhileUsed(stateDirectory, context)
        const { dataDirectory, state } = await serverStatus(stateDirectory)
        if (state !== 'absent') await confirm(`Delete the embedded server and all its data in ${dataDirectory}?`)
        const { existed, stopped } = await resetServer(stateDirectory, context)
        const text = existed ? 'the embedded server and its data are deleted' : 'there was no embedded server'
        answer({ json: { deleted: existed, stopped, data_directory: dataDirectory }, text })
      }),
    )
}

async function refuseWhileUsed(stateDirectory: string, context: RunContext): Promise<void> {
  const sessions = await sessionsOf(stateDirectory, context)
  if (sessions.length === 0) return
  const who = sessions.map(
    ({ pid, user, database, application }) => `${application || user} in ${database} (pid ${pid})`,
  )
  throw new ObsError(`others are connected to the embedded server: ${who.join(', ')}`, {
    code: 'server_in_use',
    hint: 'Let them finish, or end them with obs db reset --force; nothing was changed.',
    details: { sessions },
  })
}

/** A server that nobody can connect to is one that a reset is meant for. */
async function sessionsOf(stateDirectory: string, context: RunContext): Promise<readonly ServerSession[]> {
  try {
    const address = await runningServer(stateDirectory)
    return address ? await otherSessions(address, context) : []
  } catch (error) {
    if (error instanceof InterruptedError) throw error
    return []
  }
}
