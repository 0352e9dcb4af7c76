import { Command } from 'commander'
import { migrateBaselineCommand } from './baseline.js'
import { migrateCheckCommand } from './check.js'
import { migrateCreateCommand } from './create.js'
import { migrateDownCommand } from './down.js'
import { migrateGotoCommand } from './goto.js'
import { migrateImportCommand } from './import.js'
import { migrateLintCommand } from './lint.js'
import { migratePlanCommand } from './plan.js'
import { migrateRedoCommand } from './redo.js'
import { migrateRepairCommand } from './repair.js'
import { migrateShowCommand } from './show.js'
import { migrateStatusCommand } from './status.js'
import { migrateUpCommand } from './up.js'
import { migrateVerifyCommand } from './verify.js'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('apply, revert and inspect migrations')
    .addCommand(migrateUpCommand())
    .addCommand(migrateDownCommand())
    .addCommand(migrateRedoCommand())
    .addCommand(migrateGotoCommand())
    .addCommand(migratePlanCommand())
    .addCommand(migrateStatusCommand())
    .addCommand(migrateShowCommand())
    .addCommand(migrateCreateCommand())
    .addCommand(migrateLintCommand())
    .addCommand(migrateCheckCommand())
    .addCommand(migrateVerifyCommand())
    .addCommand(migrateImportCommand())
    .addCommand(migrateBaselineCommand())
    .addCommand(migrateRepairCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate status
  $ obs migrate up                          back up, then apply what is pending
  $ obs migrate down --to 1`,
    )
}
