import { Command } from 'commander'
import { serverStatus, startServer } from '../../database/embedded/server.js'
import { action } from '../invocation.js'
import { statusJson } from './describe-status.js'
import { requireEmbedded } from './embedded-only.js'

export function startDbCommand(): Command {
  return new Command('start')
    .description('start the embedded server unless it runs already')
    .addHelpText('after', '\nThe server goes on until obs db stop. Exits 0 once it takes connections.')
    .action(
      action<object, []>(async ({ settings, context, answer }) => {
        requireEmbedded(settings, 'obs db start')
        const before = await serverStatus(settings.stateDirectory)
        const address = await startServer(settings.stateDirectory, context)
        const status = await serverStatus(settings.stateDirectory)
        const started = before.state !== 'running'
        const verb = started ? 'runs' : 'was running already'
        answer({
          json: { started, database: address.database, ...statusJson(status) },
          text: `the embedded server ${verb} at 127.0.0.1:${status.port} (pid ${status.pid}); obs db url says how to connect`,
        })
      }),
    )
}
