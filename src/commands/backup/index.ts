import { Command } from 'commander'
import { createBackupCommand } from './create.js'
import { listBackupsCommand } from './list.js'
import { restoreBackupCommand } from './restore.js'
import { verifyBackupCommand } from './verify.js'

export function backupCommand(): Command {
  return new Command('backup')
    .description('create, list, verify and restore checked backups')
    .addCommand(createBackupCommand())
    .addCommand(listBackupsCommand())
    .addCommand(verifyBackupCommand())
    .addCommand(restoreBackupCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup create                           back the whole database up and check the backup
  $ obs backup list
  $ obs backup restore latest --to traces_copy  into a new database on the same server`,
    )
}
