import type { Progress, RunContext } from '../../context.js'

/** One step of a run and how long it took. */
export interface StepTime {
  readonly name: string
  readonly duration_ms: number
}

/** Runs named steps one after the other, shows them and keeps their times. */
export class Steps {
  readonly times: StepTime[] = []

  constructor(private readonly context: RunContext) {}

  /** Runs `work` as one step; the engine's own steps are part of it. */
  run<T>(name: string, work: (context: RunContext) => Promise<T>): Promise<T> {
    return this.#time(name, (progress) => work({ ...this.context, progress }))
  }

  /** Runs `work` as a step, and every step that the engine announces as one of its own. */
  runSplit<T>(name: string, work: (context: RunContext) => Promise<T>): Promise<T> {
    return this.#time(name, (progress, begin) => work({ ...this.context, progress: { ...progress, step: begin } }))
  }

  async #time<T>(name: string, work: (progress: Progress, begin: (name: string) => void) => Promise<T>): Promise<T> {
    const { progress } = this.context
    let current = { name, started: performance.now() }
    const end = () =>
      this.times.push({ name: current.name, duration_ms: Math.round(performance.now() - current.started) })
    const begin = (next: string) => {
      end()
      current = { name: next, started: performance.now() }
      progress.step(next)
    }
    progress.step(name)
    const result = await work({ ...progress, step: () => undefined }, begin)
    end()
    return result
  }
}
