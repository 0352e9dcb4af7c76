import { describe, expect, it } from 'vitest'
import { isAlive } from '../src/is-alive.js'
import { describeEnding, type OwnCommand, runCommand } from '../src/run-command.js'

/** Runs a shell's script as a program of the user's own; what it prints is given as well. */
async function ending(script: string, more: Partial<OwnCommand> = {}) {
  let said = ''
  const onOutput = (text: string) => {
    said += text
    more.onOutput?.(text)
  }
  const { signal } = new AbortController()
  const started = performance.now()
  const result = await runCommand({ words: ['sh', '-c', script], timeLimit: 60_000, signal, ...more, onOutput })
  return { ...result, said, took: performance.now() - started }
}

describe('runCommand', () => {
  it('gives the exit code, the signal or the reason of an end', async () => {
    expect(await ending('echo out; echo err >&2; exit 7')).toMatchObject({ how: 'ended', code: 7, stdout: 'out\n' })
    expect(await ending('kill -9 $$')).toMatchObject({ how: 'ended', code: null, signal: 'SIGKILL' })
    expect(await ending('', { words: ['/nowhere/hook'] })).toMatchObject({ how: 'missing', reason: 'ENOENT' })
  })

  it('asks a program to end that takes too long, and lets it clean up', async () => {
    const result = await ending('trap "echo cleaned; exit 0" TERM; echo $$; sleep 60 & wait', { timeLimit: 300 })
    expect(result).toMatchObject({ how: 'timeout', stdout: expect.stringMatching(/cleaned\n$/) })
    expect(describeEnding(result)).toBe('took too long and was ended')
    expect(result.took).toBeLessThan(10_000)
    expect(isAlive(Number.parseInt(result.stdout, 10))).toBe(false)
  })

  it('kills a program that does not listen', async () => {
    const result = await ending('trap "" TERM; echo $$; while :; do sleep 0.1; done', { timeLimit: 300 })
    expect(result).toMatchObject({ how: 'timeout', signal: 'SIGKILL' })
    expect(isAlive(Number.parseInt(result.stdout, 10))).toBe(false)
  })

  it('ends a program when the run is interrupted, while it runs and before it began', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const result = await ending('echo $$; exec sleep 60', { signal, onOutput: () => controller.abort() })
    expect(result).toMatchObject({ how: 'interrupted', signal: 'SIGTERM' })
    expect(isAlive(Number.parseInt(result.stdout, 10))).toBe(false)
    expect(await ending('sleep 60', { signal })).toMatchObject({ how: 'interrupted' })
  })

  it('does not wait for what a program leaves running behind it', async () => {
    const result = await ending('sleep 30 & echo done')
    expect(result).toMatchObject({ how: 'ended', code: 0, stdout: 'done\n' })
    expect(result.took).toBeLessThan(15_000)
  })
})
