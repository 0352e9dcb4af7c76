import { Command } from 'commander'
import { connectionUrl, describeAddress } from '../../database/address.js'
import { action, targetAddress } from '../invocation.js'

interface Options {
  readonly showPassword?: boolean
}

export function urlDbCommand(): Command {
  return new Command('url')
    .description('print the URL of the database that obs works on')
    .option('--show-password', 'print the password on a terminal, too')
    .addHelpText(
      'after',
      `
Starts the embedded server if need be. On a terminal the password is masked; what
is piped or captured is complete.

Examples:
  $ psql "$(obs db url)"
  $ obs db url --show-password`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const address = await targetAddress(invocation)
        const masked = process.stdout.isTTY === true && !invocation.options.showPassword
        const url = masked ? describeAddress(address) : connectionUrl(address)
        invocation.answer({ json: { url, complete: !masked }, text: url })
        if (masked && address.password) process.stderr.write('--show-password shows the password\n')
      }),
    )
}
