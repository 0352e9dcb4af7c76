import { basename, join } from 'node:path'
import type { PlatformName } from '../../database/platform.js'
import { textChecksum } from '../checksum/checksum.js'
import { parseDirectives } from '../files/directives.js'
import { parseName } from '../files/file-name.js'
import { readSingleFile } from '../files/single-file.js'
import type { Script, ScriptKind } from '../migration.js'

/** One direction of one migration in one form, as a file says it. */
export interface Piece {
  readonly version: number
  /** `0004_toys` */
  readonly id: string
  readonly kind: ScriptKind
  readonly variant: PlatformName | null
  /** The name without a folder. */
  readonly file: string
  readonly script: Script
}

/** A file of a folder of migrations. */
export interface NamedText {
  readonly name: string
  readonly text: string
}

/** True for a file whose name is that of a migration obs can run. */
export function isMigrationFile(name: string): boolean {
  return ['sql', 'single', 'module'].includes(parseName(name).kind)
}

/** Takes files apart into what they are the up, the down or the verification of; other files count for nothing. */
export function piecesOf(folder: string, files: readonly NamedText[]): readonly Piece[] {
  return files.flatMap(({ name, text }) => {
    const parsed = parseName(name)
    if (parsed.kind !== 'sql' && parsed.kind !== 'single' && parsed.kind !== 'module') return []
    const { version, digits } = parsed
    const piece = (kind: ScriptKind, content = text, variant: PlatformName | null = null): Piece => {
      const file = join(folder, name)
      return {
        version,
        id: `${digits}_${parsed.name}`,
        kind,
        variant,
        file: name,
        script: script(file, content, variant),
      }
    }
    if (parsed.kind === 'sql') return [piece(parsed.script, text, parsed.variant)]
    if (parsed.kind === 'module') return modulePieces(piece, text)
    const sections = readSingleFile(join(folder, name), text)?.sections ?? []
    return sections.map((section) => piece(section.direction, section.text))
  })
}

/** Code is not run to find out what it exports; a word is enough for a warning not to be given. */
function modulePieces(piece: (kind: ScriptKind) => Piece, text: string): readonly Piece[] {
  return /\bdown\b/.test(text) ? [piece('up'), piece('down')] : [piece('up')]
}

function script(file: string, text: string, variant: PlatformName | null): Script {
  const { directives } = parseDirectives(file, text)
  const code = /\.[cm]?[jt]s$/.test(basename(file))
  return { file, text, checksum: textChecksum(text), variant, directives, ...(code ? { run: neverRun } : {}) }
}

/** Marks a script as code, whose text is compared as it stands. */
async function neverRun(): Promise<never> {
  throw new Error('a file that is only compared was run')
}
