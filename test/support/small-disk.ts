import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import type { Database } from '../../src/database/connect.js'

const run = promisify(execFile)

/** A folder on a file system of its own, so small that it fills up. */
export interface SmallDisk {
  readonly folder: string
  /** Gives it another size, in megabytes. */
  resize(megabytes: number): Promise<void>
}

/** A small file system that the server's account owns, or nothing where that cannot be made. */
export async function smallDisk({ sql }: Pick<Database, 'sql'>, megabytes: number): Promise<SmallDisk | undefined> {
  const [row] = await sql<{ data: string }[]>`select current_setting('data_directory') as data`
  const owner = await stat(row?.data ?? '').catch(() => undefined)
  if (!owner) return undefined
  const folder = await mkdtemp('/tmp/obs-disk-')
  await chmod(folder, 0o755)
  onTestFinished(async () => {
    await run('umount', ['-l', folder]).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  })
  const options = `size=${megabytes}m,mode=700,uid=${owner.uid},gid=${owner.gid}`
  const resize = async (size: number) => void (await run('mount', ['-o', `remount,size=${size}m`, folder]))
  return run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).then(
    () => ({ folder, resize }),
    () => undefined,
  )
}

export const noSmallDisk = 'a small file system cannot be mounted by this user, or the server is elsewhere'
