/**
 * How an engine says what it is doing.
 *
 * Engines never print: the terminal decides whether a step becomes a spinner, a
 * progress bar or one plain line in a CI log.
 */
export interface Progress {
  /** A step began; the step before it is over. */
  step(text: string): void
  /**
   * The current step moved on. `total` is undefined while it is not known; `before` is
   * what an earlier run had done of it, which says nothing about how fast this one is.
   */
  advance(done: number, total: number | undefined, unit: string, before?: number): void
  /** Something the person should read, though nothing is wrong yet. */
  warn(text: string): void
}

/** What every long-running engine function is given. */
export interface RunContext {
  readonly progress: Progress
  /** Aborted on Ctrl-C; an engine stops at the next safe point and undoes what is half done. */
  readonly signal: AbortSignal
}

/** A context that reports to nobody and is never interrupted. */
export function quietContext(signal: AbortSignal = new AbortController().signal): RunContext {
  return { progress: { step() {}, advance() {}, warn() {} }, signal }
}
