import { hostname, userInfo } from 'node:os'
import type { Session } from '../../database/connect.js'
import { obsVersion } from '../../package.js'
import type { Pack } from '../../packs.js'
import type { RunFacts } from './history.js'

/** Who is doing this, for the history. */
export async function factsAbout(session: Session, pack: Pack): Promise<RunFacts> {
  const [row] = await session<{ role: string }[]>`select current_user as role`
  return { place: pack, who: `${loginName()} as ${row?.role}`, host: hostname(), obsVersion: obsVersion() }
}

/** A process in a container may run under a number that has no name. */
function loginName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`
  }
}
