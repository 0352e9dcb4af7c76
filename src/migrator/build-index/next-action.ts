import { derivedName } from './derived-name.js'
import type { IndexFacts, Member } from './partition-tree.js'

/** The next thing to do until the index of the table at the top is valid. */
export type Action =
  | { readonly kind: 'done' }
  /** A partition that is partitioned itself gets an index that is empty until its partitions have theirs. */
  | { readonly kind: 'declare'; readonly member: Member }
  | { readonly kind: 'build'; readonly member: Member }
  /** A build of obs broke off and left this. */
  | { readonly kind: 'drop'; readonly member: Member; readonly index: IndexFacts }
  | { readonly kind: 'attach'; readonly member: Member; readonly index: IndexFacts; readonly to: IndexFacts }
  /** All is attached, and yet the server did not look whether that makes it valid. */
  | { readonly kind: 'look'; readonly index: IndexFacts; readonly to: IndexFacts }
  /** An index without partitions below it that the server declared when there were some. */
  | { readonly kind: 'stuck'; readonly member: Member }

/**
 * Decides what is next, from what the catalog says now; pure.
 *
 * An index that is there already and says the same is attached, whoever made it; one that
 * is attached and valid is left alone.
 *
 * @param top the index of the table at the top
 */
export function nextAction(members: readonly Member[], top: IndexFacts): Action {
  if (top.valid) return { kind: 'done' }
  const chosen = new Map<number, IndexFacts>()
  const [root, ...partitions] = members
  if (root) chosen.set(root.oid, top)
  for (const member of partitions) {
    const to = member.parent === null ? undefined : chosen.get(member.parent)
    if (!to) continue
    const attached = member.indexes.find((index) => index.attachedTo === to.oid)
    if (!attached) return bringIn(member, to, top)
    chosen.set(member.oid, attached)
  }
  const invalid = [...members].reverse().find((member) => chosen.get(member.oid)?.valid === false)
  const to = invalid && chosen.get(invalid.oid)
  const child = partitions.find((member) => member.parent === invalid?.oid)
  const index = child && chosen.get(child.oid)
  if (to && index) return { kind: 'look', index, to }
  return { kind: 'stuck', member: invalid ?? { ...nobody, name: top.name } }
}

const nobody = { oid: 0, schema: '', kind: 'p', parent: null, level: 0, indexes: [] }

function bringIn(member: Member, to: IndexFacts, top: IndexFacts): Action {
  const free = member.indexes.filter((index) => index.attachedTo === null && index.says === to.says)
  const fit = free.find((index) => index.valid || member.kind === 'p')
  if (fit) return { kind: 'attach', member, index: fit, to }
  const left = free.find((index) => isOurs(index, member, top))
  if (left) return { kind: 'drop', member, index: left }
  return member.kind === 'p' ? { kind: 'declare', member } : { kind: 'build', member }
}

/** How many names are tried when others have the first. */
export const nameTurns = 4

/** An invalid index of another name may be what somebody else is building just now. */
function isOurs({ name }: IndexFacts, member: Member, top: IndexFacts): boolean {
  return Array.from({ length: nameTurns }, (_, turn) => derivedName(top.name, member.name, turn)).includes(name)
}
