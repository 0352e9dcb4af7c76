import { Command } from 'commander'
import { schemaDiffCommand } from './diff.js'
import { schemaDriftCommand } from './drift.js'
import { schemaInspectCommand } from './inspect.js'

export function schemaCommand(): Command {
  return new Command('schema')
    .description('inspect a schema, compare two, find drift')
    .addCommand(schemaInspectCommand())
    .addCommand(schemaDiffCommand())
    .addCommand(schemaDriftCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ obs schema inspect
  $ obs schema diff pack:observability
  $ obs schema drift`,
    )
}
