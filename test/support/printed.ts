import { afterEach, beforeEach, vi } from 'vitest'

/** What the program has printed in the current test. */
export interface Printed {
  stdout: string
  stderr: string
}

/** Takes down what is printed instead of printing it, for every test of the file that calls this. */
export function takeDownOutput(): Printed {
  const printed: Printed = { stdout: '', stderr: '' }
  beforeEach(() => {
    for (const name of ['stdout', 'stderr'] as const) {
      printed[name] = ''
      vi.spyOn(process[name], 'write').mockImplementation((text) => {
        printed[name] += text
        return true
      })
    }
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
  return printed
}
