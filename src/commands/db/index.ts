import { Command } from 'commander'
import { resetDbCommand } from './reset.js'
import { startDbCommand } from './start.js'
import { statusDbCommand } from './status.js'
import { stopDbCommand } from './stop.js'
import { urlDbCommand } from './url.js'

export function dbCommand(): Command {
  return new Command('db')
    .description('run the embedded PostgreSQL server')
    .addCommand(startDbCommand())
    .addCommand(stopDbCommand())
    .addCommand(statusDbCommand())
    .addCommand(urlDbCommand())
    .addCommand(resetDbCommand())
    .addHelpText(
      'after',
      `
Every command starts the server when it needs it, and leaves it running.

Examples:
  $ obs db status
  $ psql "$(obs db url)"                        any client, same database
  $ obs db stop
  $ obs db reset                                delete its data and begin anew`,
    )
}
