import { checksumOf, isSame } from '../checksum/checksum.js'
import { type Change, differenceBetween } from '../checksum/difference.js'
import type { Piece } from './pieces.js'

/** What stands in the way of a merge (`error`), should be seen (`warning`), or is good to know (`note`). */
export type Severity = 'error' | 'warning' | 'note'

/** Something that a comparison with the base found. */
export interface Finding {
  readonly id: 'late' | 'duplicate' | 'edited' | 'deleted' | 'renamed' | 'missing_down' | 'down_edited' | 'reformatted'
  readonly severity: Severity
  readonly version: number
  /** The name without a folder. */
  readonly file: string
  /** From 1; where the difference begins, for an edited file. */
  readonly line: number
  readonly message: string
  /** What to do: a sentence that starts with a verb. */
  readonly hint: string
  /** Both sides of an edited file. */
  readonly change?: Change
}

/** The three states that a merge is about. */
export interface Sides {
  /** The files as they are in the folder. */
  readonly ours: readonly Piece[]
  /** The newest state of what is merged into. */
  readonly base: readonly Piece[]
  /** The state that both come from. */
  readonly fork: readonly Piece[]
  /** What the base is called, for messages. */
  readonly ref: string
}

/**
 * Finds what a merge of these migrations would break, version by version.
 *
 * Additions are judged against the newest base, because that is what they will stand
 * beside; edits and deletions against where the branches parted, because what the base
 * has gained since is not missing here.
 */
export async function compareSides(sides: Sides): Promise<readonly Finding[]> {
  const findings = [
    ...duplicates(sides),
    ...lateOnes(sides),
    ...(await editedOnes(sides)),
    ...(await goneOnes(sides)),
    ...missingDowns(sides),
  ]
  return findings.sort((a, b) => a.version - b.version || a.file.localeCompare(b.file))
}

function duplicates({ ours, base, fork, ref }: Sides): readonly Finding[] {
  const ups = ours.filter(isUp)
  return ups.flatMap((piece, i) => {
    const twin = ups.slice(0, i).find((other) => sameForm(other, piece))
    if (twin) return [duplicate(piece, `version ${piece.version} exists twice: ${twin.file} and ${piece.file}`)]
    const theirs = base.find((other) => isUp(other) && sameForm(other, piece) && other.file !== piece.file)
    const isNew = !hasVersion(fork, piece.version)
    if (!theirs || !isNew || ours.some((other) => other.file === theirs.file)) return []
    return [duplicate(piece, `version ${piece.version} is taken: ${ref} has ${theirs.file}`)]
  })
}

function duplicate({ version, file }: Piece, message: string): Finding {
  const hint = 'Give it a version of its own, above all others.'
  return { id: 'duplicate', severity: 'error', version, file, line: 1, message, hint }
}

function lateOnes({ ours, base, ref }: Sides): readonly Finding[] {
  const ups = base.filter(isUp)
  const newest = ups.reduce<Piece | undefined>((top, one) => (top && top.version >= one.version ? top : one), undefined)
  if (!newest) return []
  return ours
    .filter((piece) => isUp(piece) && piece.version < newest.version && !hasVersion(base, piece.version))
    .map(({ version, file }) => ({
      id: 'late',
      severity: 'error',
      version,
      file,
      line: 1,
      message: `version ${version} comes late: ${ref} is at ${newest.version} already (${newest.file})`,
      hint: `Give it a version above ${newest.version}; databases that are there already would refuse it.`,
    }))
}

async function editedOnes({ ours, base, fork, ref }: Sides): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const piece of ours) {
    const known = [counterpart(fork, piece), counterpart(base, piece)].filter((one) => one !== undefined)
    const [before] = known
    if (!before || known.some((one) => one.script.checksum === piece.script.checksum)) continue
    const same = await anySame(piece, known)
    if (piece.kind === 'up') findings.push(same ? reformatted(piece) : edited(piece, before, ref))
    else if (!same) findings.push(downEdited(piece))
  }
  return findings
}

async function anySame(piece: Piece, others: readonly Piece[]): Promise<boolean> {
  for (const other of others) if (isSame(piece.script, await checksumOf(other.script))) return true
  return false
}

function edited(piece: Piece, before: Piece, ref: string): Finding {
  const change = differenceBetween(piece.id, before.script.text, piece.script)
  return {
    id: 'edited',
    severity: 'error',
    version: piece.version,
    file: piece.file,
    line: change.line,
    message: `${piece.file} says something else than in ${ref}, where it may have been applied`,
    hint: 'Restore the file and put the change into a new migration.',
    change,
  }
}

function reformatted({ version, file }: Piece): Finding {
  return {
    id: 'reformatted',
    severity: 'note',
    version,
    file,
    line: 1,
    message: `${file} differs in comments and formatting only`,
    hint: 'Leave it as it is: databases that applied it take it for the same.',
  }
}

function downEdited({ version, file, kind }: Piece): Finding {
  return {
    id: 'down_edited',
    severity: 'note',
    version,
    file,
    line: 1,
    message: `the ${kind === 'down' ? 'down' : 'verification'} of version ${version} changed`,
    hint: 'Try it with obs migrate redo; a down may change at any time.',
  }
}

async function goneOnes(sides: Sides): Promise<readonly Finding[]> {
  const { ours, base, fork } = sides
  const findings: Finding[] = []
  for (const piece of fork) {
    if (piece.kind === 'verify' || counterpart(ours, piece) || !counterpart(base, piece)) continue
    const heir = await heirOf(piece, sides)
    if (heir) findings.push(renamed(piece, heir))
    else if (isUp(piece) || hasVersion(ours, piece.version)) findings.push(deleted(piece, sides))
  }
  return findings
}

/** The file that took over: the same version under another name, or the same statements under another version. */
async function heirOf(piece: Piece, { ours, fork }: Sides): Promise<Piece | undefined> {
  const fresh = ours.filter((one) => one.kind === piece.kind && !counterpart(fork, one))
  const namesake = fresh.find((one) => sameForm(one, piece))
  if (namesake || !isUp(piece)) return namesake
  const checksum = await checksumOf(piece.script)
  return fresh.find((one) => isSame(one.script, checksum))
}

function renamed(piece: Piece, heir: Piece): Finding {
  const sameVersion = piece.version === heir.version
  const down = piece.kind === 'down'
  return {
    id: 'renamed',
    severity: down ? 'note' : 'error',
    version: piece.version,
    file: heir.file,
    line: 1,
    message: sameVersion
      ? `${piece.file} is called ${heir.file} now`
      : `${piece.file} has another version now, ${heir.file}: databases that applied it would run it again`,
    hint: `Call it ${piece.file} again${down ? ', unless its up is called so too' : ''}.`,
  }
}

function deleted({ version, file, kind }: Piece, { ref }: Sides): Finding {
  const up = kind === 'up'
  return {
    id: 'deleted',
    severity: up ? 'error' : 'warning',
    version,
    file,
    line: 1,
    message: up
      ? `${file} is gone, and databases may have applied it from ${ref}`
      : `${file} is gone, so version ${version} has no way back`,
    hint: up ? 'Bring it back; take its effect back in a new migration.' : 'Bring it back.',
  }
}

function missingDowns({ ours, base, fork }: Sides): readonly Finding[] {
  const isNew = ({ version }: Piece) => !hasVersion(base, version) && !hasVersion(fork, version)
  const versions = new Set<number>()
  return ours.flatMap((piece) => {
    const { version, file, script, id } = piece
    const way = ours.some((other) => other.kind === 'down' && other.version === version)
    if (!isUp(piece) || !isNew(piece) || way || script.directives.irreversible || versions.has(version)) return []
    versions.add(version)
    return [
      {
        id: 'missing_down' as const,
        severity: 'warning' as const,
        version,
        file,
        line: 1,
        message: `version ${version} has no down`,
        hint: `Write ${id}.down.sql, or say why there is none with -- obs: irreversible <reason>.`,
      },
    ]
  })
}

function isUp({ kind }: Piece): boolean {
  return kind === 'up'
}

function hasVersion(pieces: readonly Piece[], version: number): boolean {
  return pieces.some((piece) => isUp(piece) && piece.version === version)
}

function sameForm(a: Piece, b: Piece): boolean {
  return a.version === b.version && a.variant === b.variant
}

/** The same direction in the file of the same name. */
function counterpart(pieces: readonly Piece[], piece: Piece): Piece | undefined {
  return pieces.find((other) => other.file === piece.file && other.kind === piece.kind)
}
