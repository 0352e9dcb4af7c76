import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { LogLevel } from '../../src/config-file.js'
import { createProgress, type Log } from '../../src/terminal/progress.js'

const terminal = { interactive: false, canAsk: false, color: true, errorColor: false, width: 80 }
let written: string

beforeEach(() => {
  written = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += text
    return true
  })
})

afterEach(() => vi.restoreAllMocks())

async function run(level: LogLevel, log?: Log): Promise<string> {
  const progress = await createProgress(terminal, level, log)
  progress.step('digging')
  progress.warn('a stone')
  progress.done()
  return written
}

it('writes a step when it is over, and a warning at once, without the colour of stdout', async () => {
  expect(await run('info')).toMatch(/^warning: a stone\ndigging \(\d+ ms\)\n$/)
})

it.each([
  ['warn', 'warning: a stone\n'],
  ['error', ''],
  ['silent', ''],
] as const)('says no more than the level %s asks for', async (level, expected) => {
  expect(await run(level)).toBe(expected)
})

it('speaks to a log instead when it is given one', async () => {
  const lines: string[] = []
  const log = { info: (text: string) => lines.push(`info ${text}`), warn: (text: string) => lines.push(`warn ${text}`) }
  expect(await run('info', log)).toBe('')
  expect(lines).toEqual(['warn a stone', expect.stringMatching(/^info digging \(\d+ ms\)$/)])
})

it('writes a line a tenth at most, and leaves what an earlier run did out of the rate', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const lines: string[] = []
    const log = { info: (text: string) => lines.push(text), warn: () => undefined }
    const progress = await createProgress(terminal, 'info', log)
    progress.step('filling')
    for (let second = 1; second <= 100; second++) {
      vi.advanceTimersByTime(1000)
      progress.advance(5000 + 50 * second, 10_000, 'rows', 5000)
    }
    expect(lines).toHaveLength(6)
    expect(lines[1]).toBe('filling: 6,000 of 10,000 rows (60 %), 50/s, 1 min 20 s left')
    expect(lines.at(-1)).toMatch(/^filling: 10,000 of 10,000 rows/)
  } finally {
    vi.useRealTimers()
  }
})
