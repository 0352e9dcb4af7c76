import type { Json, RunSettings } from '../pack.js'
import type { ReferenceIdsByName } from '../references.js'
import type { Generated, Wanted } from '../row-source.js'

/** What a thread is told when it starts. */
export interface ThreadData {
  readonly settings: RunSettings
  readonly prepared: Json
  readonly ids: ReferenceIdsByName
  /** What the pack said the thread needs to know. */
  readonly data: Json
}

/** To a thread: make rows, go on with one piece more (whose memory may be used again), or leave off. */
export type ToThread =
  | { readonly kind: 'start'; readonly wanted: Wanted }
  | { readonly kind: 'more'; readonly memory: ArrayBuffer }
  | { readonly kind: 'stop' }

export type FromThread =
  | { readonly kind: 'rows'; readonly memory: ArrayBuffer; readonly length: number; readonly rows: number }
  | { readonly kind: 'end'; readonly generated: Generated }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string }

/** Pieces that a thread makes before it waits for the first to be taken. */
export const ahead = 4
