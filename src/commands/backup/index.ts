import { Command } from 'commander'
import { createBackupCommand } from './create.js'
import { discardCommand } from './discard.js'
import { drillCommand } from './drill.js'
import { keyCommand } from './key.js'
import { listBackupsCommand } from './list.js'
import { pruneCommand } from './prune.js'
import { restoreBackupCommand } from './restore.js'
import { swapCommand } from './swap.js'
import { verifyBackupCommand } from './verify.js'

export function backupCommand(): Command {
  return new Command('backup')
    .description('create, verify, restore, practise and prune checked backups')
    .addCommand(createBackupCommand())
    .addCommand(listBackupsCommand())
    .addCommand(verifyBackupCommand())
    .addCommand(restoreBackupCommand())
    .addCommand(drillCommand())
    .addCommand(pruneCommand())
    .addCommand(swapCommand())
    .addCommand(discardCommand())
    .addCommand(keyCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup create                           back the whole database up and check the backup
  $ obs backup list                             age, size, what is in it and how well it is proven
  $ obs backup drill                            restore the newest for practice, and validate it
  $ obs backup restore latest                   into a new database on the same server
  $ obs backup restore latest --replace         in place of the present one, which is kept`,
    )
}
