import { Command } from 'commander'
import { putInPlace } from '../../backup/kept-databases.js'
import { action, targetAddress } from '../invocation.js'
import { addressOf, commandOn } from './target.js'

interface Options {
  readonly to?: string
}

export function swapCommand(): Command {
  return new Command('swap')
    .description('let a restored or kept database take the place of another')
    .argument('<database>', 'the database that is to be used from now on')
    .option('--to <url-or-name>', 'the name it gets (default: that of the database obs works on)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup swap traces_replaced_20261122T093015Z       back to what was there before a restore
  $ obs backup swap traces_copy --to traces

Both databases are renamed in one transaction, so that each moment one of them has the name. Who is
connected is disconnected; the database that was there is kept under a name with the time in it.`,
    )
    .action(
      action<Options, [string]>(async (invocation, name) => {
        const { options, context, style } = invocation
        const to = options.to === undefined ? await targetAddress(invocation) : await addressOf(options.to, invocation)
        const result = await putInPlace(
          to,
          name,
          ({ sessions, kept }) => {
            const before = kept === null ? '' : ` The present ${to.database} is kept as ${kept}.`
            return invocation.confirm(`Use ${name} as ${to.database}, and end ${sessions} sessions?${before}`)
          },
          context,
        )
        const { kept } = result
        invocation.answer({
          json: result,
          text: [
            `${style.good('swapped')}: ${style.strong(result.database)} is what ${result.was} was`,
            ...(kept === null
              ? []
              : [
                  `  kept: ${kept}`,
                  style.faint(`back again: ${commandOn(to, ['swap', kept], options.to)}`),
                  style.faint(`drop it:    ${commandOn(to, ['discard', kept], options.to)}`),
                ]),
          ].join('\n'),
        })
      }),
    )
}
