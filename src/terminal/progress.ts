import type { Progress } from '../context.js'
import { formatCount, formatDuration } from './format.js'
import type { Style } from './style.js'
import type { Terminal } from './terminal.js'

/** A progress display that has to be told when the work is over. */
export interface ProgressDisplay extends Progress {
  /** The last step succeeded. */
  done(): void
  /** The last step did not. */
  fail(): void
}

/** Shows progress on stderr: a spinner where a line can be redrawn, else one plain line a step. */
export async function createProgress(terminal: Terminal, style: Style, quiet: boolean): Promise<ProgressDisplay> {
  if (quiet) return { ...silent, warn: (text) => writeLine(style.notice(`warning: ${text}`)) }
  return terminal.interactive ? spinnerProgress(style) : plainProgress(style)
}

const silent: ProgressDisplay = { step() {}, advance() {}, warn() {}, done() {}, fail() {} }

/** Rows, rate and time left of a step, from the moments it is told about. */
class Meter {
  readonly started = performance.now()

  describe(done: number, total: number | undefined, unit: string): string {
    const seconds = (performance.now() - this.started) / 1000
    const rate = seconds > 0 ? done / seconds : 0
    const amount = total === undefined ? formatCount(done) : `${formatCount(done)} of ${formatCount(total)}`
    const share = total ? ` (${Math.min(100, Math.floor((100 * done) / total))} %)` : ''
    const left = total && rate > 0 && done < total ? `, ${formatDuration(((total - done) / rate) * 1000)} left` : ''
    return `${amount} ${unit}${share}, ${formatCount(Math.round(rate))}/s${left}`
  }
}

async function spinnerProgress(style: Style): Promise<ProgressDisplay> {
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
    advance(done, total, unit) {
      spinner.text = `${title} ${style.faint(meter.describe(done, total, unit))}`
    },
    warn(text) {
      const spinning = spinner.isSpinning
      spinner.clear()
      writeLine(style.notice(`warning: ${text}`))
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

/** One line a step, written when it is over, so that it can say how long it took. */
function plainProgress(style: Style): ProgressDisplay {
  let title = ''
  let meter = new Meter()
  let lastLine = performance.now()
  const finish = () => {
    if (title) writeLine(`${title} (${formatDuration(performance.now() - meter.started)})`)
    title = ''
  }
  return {
    step(text) {
      finish()
      title = text
      meter = new Meter()
      lastLine = performance.now()
    },
    advance(done, total, unit) {
      if (performance.now() - lastLine < plainInterval) return
      lastLine = performance.now()
      writeLine(`${title}: ${meter.describe(done, total, unit)}`)
    },
    warn(text) {
      writeLine(style.notice(`warning: ${text}`))
    },
    done: finish,
    fail() {
      if (title) writeLine(`${title}: stopped after ${formatDuration(performance.now() - meter.started)}`)
      title = ''
    },
  }
}

function writeLine(text: string): void {
  process.stderr.write(`${text}\n`)
}
