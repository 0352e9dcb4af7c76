import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { resetServer } from '../../src/database/embedded/server.js'
import { packageRoot } from '../../src/package.js'
import { commandsOf, pages, readPage, type ShownCommand } from '../support/pages.js'

let folder: string
let project: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-docs-'))
  project = join(folder, 'project')
  await mkdir(join(folder, 'bin'))
  await mkdir(project)
  // The account that runs the server has to reach the folder when the tests run as root.
  for (const path of [folder, project]) await chmod(path, 0o711)
  await writeFile(join(folder, 'bin/obs'), wrapper(), { mode: 0o755 })
  const demo = await run('obs demo --days 7 --json', project)
  expect(demo.code, demo.output).toBe(0)
}, 300_000)

afterAll(async () => {
  for (const state of await stateDirectories()) await resetServer(state, quietContext())
  await rm(folder, { recursive: true, force: true })
}, 120_000)

const shown = pages().filter((page) => commandsOf(readPage(page)).length > 0)

it.each(shown)('%s shows commands that do what it says', { timeout: 300_000 }, async (page) => {
  let directory = project
  for (const command of commandsOf(readPage(page))) {
    const { code, output, directory: next } = await run(command.text, directory)
    const facts = { page, command: command.text, ...judge(command, output) }
    expect({ ...facts, code }, output).toEqual({ page, command: command.text, missing: [], code: command.exitCode })
    directory = next
  }
})

/** The shown lines that were not printed; `…` in a shown line stands for anything. */
function judge({ prints }: ShownCommand, output: string): { missing: readonly string[] } {
  return { missing: prints.filter((line) => !output.split('\n').some((printed) => matches(printed, line))) }
}

function matches(printed: string, shownLine: string): boolean {
  const parts = shownLine.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(printed.trimEnd())
}

interface Outcome {
  readonly code: number | null
  readonly output: string
  /** Where the shell was at its end, so that `cd` holds for the next command. */
  readonly directory: string
}

async function run(command: string, directory: string): Promise<Outcome> {
  const where = join(folder, 'where')
  const script = `trap 'pwd > "${where}"' EXIT\n${command}\n`
  const { code, output } = await shell(script, directory)
  const after = existsSync(where) ? (await readFile(where, 'utf8')).trimEnd() : directory
  return { code, output, directory: after }
}

function shell(script: string, cwd: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`, HOME: project, CI: 'true' }
    const child = spawn('sh', ['-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

function wrapper(): string {
  return `#!/bin/sh\nexec "${process.execPath}" "${join(packageRoot, 'bin/obs.js')}" "$@"\n`
}

/** Every page may have made servers of its own, and left them running when it failed. */
async function stateDirectories(): Promise<readonly string[]> {
  const names = await readdir(project, { recursive: true })
  return names.filter((name) => name.endsWith('server/data')).map((name) => join(project, dirname(dirname(name))))
}
