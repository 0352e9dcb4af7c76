/** What the process is connected to, decided once. */
export interface Terminal {
  /** stderr is a terminal that can redraw a line: spinners and progress bars are welcome. */
  readonly interactive: boolean
  /** Somebody can answer a question: stdin and stderr are terminals. */
  readonly canAsk: boolean
  /** stdout may carry colour. */
  readonly color: boolean
  /** stderr may carry colour. */
  readonly errorColor: boolean
  /** Columns of stdout, 100 when it is not a terminal. */
  readonly width: number
}

/** Looks at the streams and at NO_COLOR, FORCE_COLOR, CI and TERM. */
export function detectTerminal(flags: { readonly color?: boolean; readonly json?: boolean }): Terminal {
  const { NO_COLOR, FORCE_COLOR, CI, TERM } = process.env
  const plain = flags.color === false || Boolean(NO_COLOR) || TERM === 'dumb'
  const paints = (stream: NodeJS.WriteStream) => !plain && (Boolean(FORCE_COLOR) || stream.isTTY === true)
  const redraws = process.stderr.isTTY === true && !CI && TERM !== 'dumb'
  return {
    interactive: redraws && !flags.json,
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true && !CI,
    color: paints(process.stdout),
    errorColor: paints(process.stderr),
    width: process.stdout.columns ?? 100,
  }
}
