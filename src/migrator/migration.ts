import type { Kysely } from 'kysely'
import type { Session } from '../database/connect.js'
import type { PlatformName } from '../database/platform.js'
import type { BackfillFunction } from './backfill/backfill-function.js'
import type { Directives } from './files/directives.js'

export type Direction = 'up' | 'down'
export type ScriptKind = Direction | 'verify'

/** What a migration written in TypeScript or JavaScript is given. */
export interface MigrationEnvironment {
  /** The session of the migration, inside its transaction. */
  readonly sql: Session
  /**
   * Kysely in the same session and transaction. The types of the tables are the
   * migration's own business, because they are those of its day.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a migration may name any tables it likes.
  readonly db: Kysely<any>
  /**
   * Walks through a table batch by batch, each committed by itself; only for a migration
   * outside a transaction (`// obs: no-transaction`).
   */
  readonly backfill: BackfillFunction
}

export type MigrationFunction = (environment: MigrationEnvironment) => Promise<unknown>

/** One file, or one function of a file, that a migration consists of. */
export interface Script {
  /** Absolute path. */
  readonly file: string
  /** The content without a byte order mark. */
  readonly text: string
  /** Over the text; what the history keeps of an SQL file covers its tokens as well. */
  readonly checksum: string
  /** The platform this form is for; null when it is for every platform. */
  readonly variant: PlatformName | null
  readonly directives: Directives
  /** What to call, for a script that is a function; an SQL script has none. */
  readonly run?: MigrationFunction
}

/** One version of a pack, in all its forms. */
export interface Migration {
  readonly version: number
  /** Without version and endings: `departments`. */
  readonly name: string
  /** As people name it: `0002_departments`. */
  readonly id: string
  readonly up: readonly Script[]
  readonly down: readonly Script[]
  readonly verify: readonly Script[]
}

/** What a file says of itself about the way back. */
export interface Declaration {
  readonly directive: 'irreversible' | 'lossy'
  readonly reason: string
}

/** What these files say about the way back, each thing once. */
export function declarationsOf(scripts: readonly (Script | undefined)[]): readonly Declaration[] {
  const all = (['irreversible', 'lossy'] as const).flatMap((directive) =>
    scripts.map((script) => ({ directive, reason: script?.directives[directive] })),
  )
  const said = all.filter((one): one is Declaration => one.reason !== undefined)
  return [...new Map(said.map((one) => [`${one.directive} ${one.reason}`, one])).values()]
}

/** The form for `variant`, else the one for every platform. */
export function chooseScript(scripts: readonly Script[], variant: PlatformName | null): Script | undefined {
  return scripts.find((script) => script.variant === variant) ?? scripts.find((script) => script.variant === null)
}
