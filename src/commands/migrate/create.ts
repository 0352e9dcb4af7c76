import { relative } from 'node:path'
import { Command } from 'commander'
import { action } from '../invocation.js'

interface Options {
  readonly timestamp?: boolean
}

export function migrateCreateCommand(): Command {
  return new Command('create')
    .description('write the empty files of a new migration')
    .argument('<name>', 'what it is about, in a few words')
    .option('--timestamp', 'use the time as version (default: as the folder does)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate create add_tenants
  $ obs migrate create "cost per region" --timestamp --pack app`,
    )
    .action(
      action<Options, [string]>(async ({ options, settings, answer }, name) => {
        const { createMigration } = await import('../../migrator/files/create.js')
        const wanted = { name, ...(options.timestamp ? { timestamp: true } : {}) }
        const { version, id, files } = await createMigration(settings.pack, wanted)
        const paths = files.map((file) => `  ${relative(process.cwd(), file)}`)
        answer({
          json: { version, id, files },
          text: [`created ${id}`, ...paths, 'obs migrate up applies it once it is written'].join('\n'),
        })
      }),
    )
}
