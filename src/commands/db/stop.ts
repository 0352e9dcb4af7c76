import { Command } from 'commander'
import { stopServer } from '../../database/embedded/server.js'
import { action } from '../invocation.js'
import { requireEmbedded } from './embedded-only.js'

export function stopDbCommand(): Command {
  return new Command('stop')
    .description('stop the embedded server')
    .addHelpText('after', '\nSessions are ended and rolled back; the data stays. Exits 0 also when it did not run.')
    .action(
      action<object, []>(async ({ settings, context, answer }) => {
        requireEmbedded(settings, 'obs db stop')
        const stopped = await stopServer(settings.stateDirectory, context)
        answer({ json: { stopped }, text: `the embedded server ${stopped ? 'has stopped' : 'was not running'}` })
      }),
    )
}
