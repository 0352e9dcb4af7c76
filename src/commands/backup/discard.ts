import { Command } from 'commander'
import { discardDatabase, keptDatabases } from '../../backup/kept-databases.js'
import { formatBytes } from '../../terminal/format.js'
import { renderTable } from '../../terminal/table.js'
import { action, targetAddress } from '../invocation.js'
import { addressOf } from './target.js'

interface Options {
  readonly to?: string
}

export function discardCommand(): Command {
  return new Command('discard')
    .description('list or drop databases that restores have made beside others or put aside')
    .argument('[database]', 'the one to drop; without it they are listed')
    .option('--to <url-or-name>', 'a database of the server that is meant (default: the one obs works on)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup discard                                     what there is, and how large
  $ obs backup discard traces_replaced_20261122T093015Z

Only databases named …_replaced_<time> or …_restored_<time> can be dropped with it, it asks first,
and never while somebody is connected.`,
    )
    .action(
      action<Options, [string | undefined]>(async (invocation, name) => {
        const { options, context, style, answer } = invocation
        const to = options.to === undefined ? await targetAddress(invocation) : await addressOf(options.to, invocation)
        if (name === undefined) {
          const databases = await keptDatabases(to, context)
          const rows = databases.map((one) => [one.name, formatBytes(one.bytes)])
          const table = renderTable([{ title: 'database' }, { title: 'size', align: 'right' }], rows)
          return answer({ json: { databases }, text: rows.length === 0 ? 'there is nothing to discard' : table })
        }
        const question = ({ bytes }: { readonly bytes: number }) =>
          invocation.confirm(`Drop the database ${name} (${formatBytes(bytes)}) for good?`)
        await discardDatabase(to, name, question, context)
        answer({ json: { dropped: name }, text: `${style.good('dropped')} ${name}` })
      }),
    )
}
