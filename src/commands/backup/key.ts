import { resolve } from 'node:path'
import { Command } from 'commander'
import { createKeyFile } from '../../backup/encryption.js'
import { action } from '../invocation.js'

export function keyCommand(): Command {
  return new Command('key')
    .description('make a key file for encrypted backups')
    .argument('<file>', 'where to write it; never over a file that exists')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup key backup-key.txt
  $ obs backup create --encrypt-to age1…                       all that a machine that writes backups has to know
  $ obs backup restore latest --identity backup-key.txt

The file is one of age (https://age-encryption.org) and only its owner may read it. Keep it away from
the backups, and more than once: without it nobody can read them.`,
    )
    .action(
      action<object, [string]>(async ({ style, answer }, name) => {
        const file = resolve(name)
        const recipient = await createKeyFile(file, new Date())
        answer({
          json: { file, recipient },
          text: [
            `${style.good('made')} ${file}; keep it safe: without it encrypted backups cannot be read`,
            `  encrypt with: obs backup create --encrypt-to ${recipient}`,
          ].join('\n'),
        })
      }),
    )
}
