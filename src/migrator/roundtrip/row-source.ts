import type { Session } from '../../database/connect.js'

/** A table to be filled. */
export interface TableToFill {
  readonly schema: string
  readonly name: string
}

/** What came of filling one table. */
export interface FilledTable {
  readonly table: string
  readonly rows: number
  /** Why there are fewer rows than were wanted. */
  readonly reason: string | undefined
}

/** How demanding rows are: `mixed` ones have nulls and values at the edge of their type. */
export type RowStyle = 'mixed' | 'plain'

/** Where the rows of a scratch database come from. */
export interface RowSource {
  /** Sees the tables as they are in a version, before rows of any version are asked for. */
  learn(session: Session, version: number, tables: readonly TableToFill[]): Promise<void>
  /** Adds rows to the tables as they are now, in `version`. */
  fill(
    session: Session,
    request: { readonly version: number; readonly tables: readonly TableToFill[]; readonly style: RowStyle },
  ): Promise<readonly FilledTable[]>
}
