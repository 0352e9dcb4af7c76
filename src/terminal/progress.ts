import type { LogLevel } from '../config-file.js'
import type { Progress } from '../context.js'
import { formatCount, formatDuration } from './format.js'
import { createStyle, type Style } from './style.js'
import type { Terminal } from './terminal.js'

/** A progress display that has to be told when the work is over. */
export interface ProgressDisplay extends Progress {
  /** The last step succeeded. */
  done(): void
  /** The last step did not. */
  fail(): void
}

/** Takes one line at a time; a pino logger is one. */
export interface Log {
  info(text: string): void
  warn(text: string): void
}

/**
 * Shows progress on stderr: a spinner where a line can be redrawn, else one plain line a step.
 *
 * With a `log` the lines go there. Levels above `info` hide the steps, those above `warn` the warnings.
 */
export async function createProgress(terminal: Terminal, level: LogLevel, log?: Log): Promise<ProgressDisplay> {
  if (log) return lineProgress(log)
  if (level === 'error' || level === 'silent') return silent
  const style = createStyle(terminal.errorColor)
  const lines = plainLog(style)
  if (level === 'warn') return { ...silent, warn: lines.warn }
  return terminal.interactive ? spinnerProgress(style, lines) : lineProgress(lines)
}

const silent: ProgressDisplay = { step() {}, advance() {}, warn() {}, done() {}, fail() {} }

function plainLog(style: Style): Log {
  return { info: writeLine, warn: (text) => writeLine(style.notice(`warning: ${text}`)) }
}

/** Rows, rate and time left of a step, from the moments it is told about. */
class Meter {
  readonly started = performance.now()

  describe(done: number, total: number | undefined, unit: string, before = 0): string {
    const seconds = (performance.now() - this.started) / 1000
    const rate = seconds > 0 ? (done - before) / seconds : 0
    const amount = total === undefined ? formatCount(done) : `${formatCount(done)} of ${formatCount(total)}`
    const share = total ? ` (${Math.min(100, Math.floor((100 * done) / total))} %)` : ''
    const left = total && rate > 0 && done < total ? `, ${formatDuration(((total - done) / rate) * 1000)} left` : ''
    return `${amount} ${unit}${share}, ${formatCount(Math.round(rate))}/s${left}`
  }
}

async function spinnerProgress(style: Style, lines: Log): Promise<ProgressDisplay> {
  const { default: ora } = await import('ora')
  const spinner = ora({ stream: process.stderr, discardStdin: false })
  let title = ''
  let meter = new Meter()
  const finish = () => {
    if (!spinner.isSpinning) return
    spinner.succeed(`${title} ${style.faint(formatDuration(performance.now() - meter.started))}`)
  }
  return {
    step(text) {
      finish()
      title = text
      meter = new Meter()
      spinner.start(text)
    },
    advance(done, total, unit, before) {
      spinner.text = `${title} ${style.faint(meter.describe(done, total, unit, before))}`
    },
    warn(text) {
      const spinning = spinner.isSpinning
      spinner.clear()
      lines.warn(text)
      if (spinning) spinner.render()
    },
    done: finish,
    fail() {
      if (spinner.isSpinning) spinner.fail(title)
    },
  }
}

/** At most one line every five seconds about rows, so that a log stays readable. */
const plainInterval = 5000

/** Within a tenth of the whole no more than one line in five minutes. */
const slowInterval = 300_000

/** One line a step, written when it is over, so that it can say how long it took. */
function lineProgress(log: Log): ProgressDisplay {
  let title = ''
  let meter = new Meter()
  let lastLine = performance.now()
  let lastTenth = 0
  const finish = () => {
    if (title) log.info(`${title} (${formatDuration(performance.now() - meter.started)})`)
    title = ''
  }
  return {
    step(text) {
      finish()
      title = text
      meter = new Meter()
      lastLine = performance.now()
      lastTenth = 0
    },
    advance(done, total, unit, before) {
      const tenth = total ? Math.floor((10 * done) / total) : undefined
      const interval = tenth !== undefined && tenth === lastTenth ? slowInterval : plainInterval
      if (performance.now() - lastLine < interval) return
      lastLine = performance.now()
      lastTenth = tenth ?? 0
      log.info(`${title}: ${meter.describe(done, total, unit, before)}`)
    },
    warn(text) {
      log.warn(text)
    },
    done: finish,
    fail() {
      if (title) log.info(`${title}: stopped after ${formatDuration(performance.now() - meter.started)}`)
      title = ''
    },
  }
}

function writeLine(text: string): void {
  process.stderr.write(`${text}\n`)
}
