import { spawn } from 'node:child_process'

/** A program of the user's own, and what it is given. */
export interface OwnCommand {
  /** Program and arguments; no shell takes part. */
  readonly words: readonly string[]
  /** Added to this process's environment. */
  readonly variables?: Readonly<Record<string, string>>
  /** Milliseconds after which it is ended. */
  readonly timeLimit: number
  readonly signal: AbortSignal
  /** Called with what it writes to stderr and, where `stdout` is not kept, to stdout. */
  readonly onOutput?: (text: string) => void
}

/** How a program ended. */
export interface CommandEnding {
  /** `ended` with `code`; `missing` when it could not be started; `timeout` and `interrupted` when it was stopped. */
  readonly how: 'ended' | 'missing' | 'timeout' | 'interrupted'
  readonly code: number | null
  /** The signal that ended it, if one did. */
  readonly signal: string | null
  /** What it wrote to stdout, at most the first 64 KiB. */
  readonly stdout: string
  /** Why it could not be started: a system error code. */
  readonly reason: string
}

/** Milliseconds a program has to end after it was asked to, before it is killed. */
const patience = 3000
const longestOutput = 64 * 1024

/** Runs a program of the user's own and waits for its end; never rejects. */
export function runCommand({
  words,
  variables = {},
  timeLimit,
  signal,
  onOutput = () => undefined,
}: OwnCommand): Promise<CommandEnding> {
  return new Promise((resolve) => {
    const [program = '', ...args] = words
    const child = spawn(program, args, { env: { ...process.env, ...variables }, stdio: ['ignore', 'pipe', 'pipe'] })
    let stopped: 'timeout' | 'interrupted' | undefined
    let force: NodeJS.Timeout | undefined
    const stop = (why: typeof stopped) => {
      stopped ??= why
      child.kill('SIGTERM')
      force ??= setTimeout(() => child.kill('SIGKILL'), patience)
    }
    const limit = setTimeout(() => stop('timeout'), timeLimit)
    const interrupt = () => stop('interrupted')
    signal.addEventListener('abort', interrupt, { once: true })
    if (signal.aborted) interrupt()
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(0, longestOutput)
      onOutput(text)
    })
    child.stderr.setEncoding('utf8').on('data', onOutput)
    let lateOutput: NodeJS.Timeout | undefined
    const finish = (ending: Pick<CommandEnding, 'how' | 'code' | 'signal' | 'reason'>) => {
      clearTimeout(lateOutput)
      clearTimeout(limit)
      clearTimeout(force)
      signal.removeEventListener('abort', interrupt)
      // What it started may still hold the pipes; they are not waited for.
      child.stdout.destroy()
      child.stderr.destroy()
      resolve({ ...ending, stdout })
    }
    child.once('error', (error: NodeJS.ErrnoException) =>
      finish({ how: 'missing', code: null, signal: null, reason: error.code ?? error.message }),
    )
    child.once('exit', (code, ended) => {
      const over = () => finish({ how: stopped ?? 'ended', code, signal: ended, reason: '' })
      // The last of its output comes after its end; what it started may keep the pipes open for ever.
      child.once('close', over)
      lateOutput = setTimeout(over, patience)
    })
  })
}

/** How it ended, as the end of a sentence that begins with the program: `ended with exit code 3`. */
export function describeEnding({ how, code, signal, reason }: CommandEnding): string {
  if (how === 'missing') return `could not be started (${reason})`
  if (how === 'timeout') return 'took too long and was ended'
  if (how === 'interrupted') return 'was interrupted'
  return code === null ? `was ended by ${signal}` : `ended with exit code ${code}`
}
