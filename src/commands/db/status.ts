import { Command } from 'commander'
import { serverStatus } from '../../database/embedded/server.js'
import { action } from '../invocation.js'
import { statusJson, statusText } from './describe-status.js'

export function statusDbCommand(): Command {
  return new Command('status')
    .description('say whether the embedded server runs, and where')
    .addHelpText('after', '\nStarts nothing. With --json, state is running, starting, stopping, stopped or absent.')
    .action(
      action<object, []>(async ({ settings, style, answer }) => {
        const status = await serverStatus(settings.stateDirectory)
        const inUse = settings.target.kind === 'embedded'
        const note = inUse
          ? ''
          : `\n${style.notice(`not in use: ${settings.target.address.source} names another server`)}`
        answer({ json: { ...statusJson(status), in_use: inUse }, text: statusText(status, style) + note })
      }),
    )
}
