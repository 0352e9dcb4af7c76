import { statfs } from 'node:fs/promises'
import type { RunContext } from '../context.js'
import { ObsError } from '../errors.js'
import { formatBytes } from '../format-bytes.js'

/**
 * Bytes of a backup for each byte that its tables take without their indexes.
 *
 * gzip and zstd at their fastest level leave a quarter to a half of ordinary rows (0.27 of traces), and a
 * tenth of rows that repeat themselves. Encryption adds less than a thousandth.
 */
export const compressedShare = { least: 0.1, most: 0.5 }

/** Whether a disk has room for a backup, as far as that can be known before. */
export function roomFor(tableBytes: number, free: number): 'enough' | 'doubtful' | 'none' {
  if (free < tableBytes * compressedShare.least) return 'none'
  return free < tableBytes * compressedShare.most ? 'doubtful' : 'enough'
}

/**
 * Warns when the disk may turn out too small.
 *
 * @throws ObsError `disk_full` when it is too small whatever the rows are.
 */
export async function checkSpace(directory: string, tableBytes: number, { progress }: RunContext): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  const room = roomFor(tableBytes, free)
  if (room === 'enough') return
  const most = formatBytes(tableBytes * compressedShare.most)
  if (room === 'doubtful') {
    progress.warn(
      `the disk that holds ${directory} has ${formatBytes(free)} free, and the backup may need up to ${most}; if it does, it is removed again`,
    )
    return
  }
  const needed = Math.ceil(tableBytes * compressedShare.least)
  throw new ObsError(
    `the disk that holds ${directory} has ${free} bytes free, and a backup of this database needs at least ${needed}`,
    {
      code: 'disk_full',
      hint: 'Free some space or name a folder on another disk with OBS_BACKUPS; nothing was written.',
      details: { directory, free_bytes: free, needed_bytes: needed },
    },
  )
}
