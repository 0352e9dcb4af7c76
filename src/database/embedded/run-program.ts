import { spawn } from 'node:child_process'
import { InterruptedError } from '../../errors.js'
import { credentials, type ServerUser } from './server-user.js'

export interface ProgramRun {
  /** The exit code; 128 and more when a signal ended it. */
  readonly code: number
  /** stdout and stderr, interleaved as they came; empty when they went to a file. */
  readonly output: string
}

export interface ProgramOptions {
  readonly user: ServerUser | undefined
  /** A folder that `user` can enter. */
  readonly folder: string
  readonly signal?: AbortSignal
  /** A file descriptor that takes the output instead. */
  readonly output?: number
  readonly input?: string
}

/**
 * Runs a program of PostgreSQL to its end.
 *
 * It gets no environment (a stray PGDATA or locale changes nothing) and a process
 * group of its own, so that Ctrl-C reaches obs alone, which then ends it in order.
 *
 * @throws InterruptedError when `signal` is aborted; the system's error when it cannot be started.
 */
export function runProgram(
  path: string,
  programArguments: readonly string[],
  options: ProgramOptions,
): Promise<ProgramRun> {
  const sink = options.output ?? 'pipe'
  return new Promise((resolve, reject) => {
    const child = spawn(path, programArguments, {
      ...credentials(options.user),
      cwd: options.folder,
      env: cleanEnvironment(),
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['pipe', sink, sink],
      ...(options.signal ? { signal: options.signal } : {}),
    })
    const output: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk))
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input)
    child.on('error', (error) => reject(error.name === 'AbortError' ? new InterruptedError() : error))
    child.on('close', (code) => resolve({ code: code ?? 128, output: Buffer.concat(output).toString() }))
  })
}

/** The last lines of a program's output, the ones that say why it failed. */
export function lastLines(output: string, count = 8): string {
  return output.trimEnd().split('\n').slice(-count).join('\n')
}

/** Whether PostgreSQL failed for want of disk space, in the system's words or in its own. */
export function speaksOfFullDisk(output: string): boolean {
  return /No space left on device|Disk quota exceeded|Check free disk space/.test(output)
}

/** Windows starts no program without SystemRoot. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const systemRoot = process.platform === 'win32' ? process.env['SystemRoot'] : undefined
  return { LC_ALL: 'C', ...(systemRoot ? { SystemRoot: systemRoot } : {}) }
}
