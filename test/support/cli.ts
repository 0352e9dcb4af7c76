import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const executable = fileURLToPath(new URL('../../bin/obs.js', import.meta.url))

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  /** The folder obs runs in. */
  readonly cwd: string
  /** Added to an environment that names no server and no home. */
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process as soon as it runs, for tests that send it a signal. */
  readonly started?: (child: ChildProcess) => void
}

/** Runs the built program as a process of its own, as a shell or a pipeline would. */
export function obs(args: readonly string[], { cwd, env = {}, started }: CliOptions): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [executable, ...args], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: cwd, CI: 'true', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    started?.(child)
  })
}
