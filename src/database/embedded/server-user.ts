import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** The account the server runs as when that is not the account that runs obs. */
export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** The usual numbers of `nobody`, for systems that cannot say. */
const nobody: ServerUser = { name: 'nobody', uid: 65534, gid: 65534 }

/**
 * Decides which account runs the server: undefined means the one that runs obs.
 *
 * PostgreSQL refuses to run as root, so root lends it another account: the owner of
 * the data where there is some, else `postgres`, else `nobody`.
 */
export async function chooseServerUser(owner?: {
  readonly uid: number
  readonly gid: number
}): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (owner && owner.uid !== 0) return { name: await nameOf(owner.uid), uid: owner.uid, gid: owner.gid }
  return (await lookUp('postgres')) ?? (await lookUp('nobody')) ?? nobody
}

/** What `spawn` needs to run a program as that account. */
export function credentials(user: ServerUser | undefined): { uid?: number; gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {}
}

async function lookUp(name: string): Promise<ServerUser | undefined> {
  const [uid, gid] = await Promise.all([numberFrom('-u', name), numberFrom('-g', name)])
  if (uid !== undefined && gid !== undefined) return { name, uid, gid }
  return accounts().then((all) => all.find((account) => account.name === name))
}

/** `id` knows accounts of every source (files, LDAP, macOS); a bare container may lack it. */
async function numberFrom(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('id', [flag, name])
    const number = Number.parseInt(stdout, 10)
    return Number.isSafeInteger(number) && number > 0 ? number : undefined
  } catch {
    return undefined
  }
}

async function nameOf(uid: number): Promise<string> {
  const known = (await accounts()).find((account) => account.uid === uid)
  return known?.name ?? `user ${uid}`
}

async function accounts(): Promise<ServerUser[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid = '', gid = '']) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((account) => account.name !== '' && account.uid > 0)
}
