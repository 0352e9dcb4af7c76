import { afterEach, describe, expect, it, vi } from 'vitest'
import { main } from '../src/cli.js'
import { takeDownOutput } from './support/printed.js'

const printed = takeDownOutput()

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('obs help', () => {
  it.each([
    [['help'], 'Usage: obs [options] [command]'],
    [['help', 'migrate'], 'Usage: obs migrate [options] [command]'],
    [['help', 'migrate', 'up'], 'Usage: obs migrate up [options]'],
    [['--no-color', 'help', 'backup', 'restore'], 'Usage: obs backup restore [options] [id]'],
  ])('%j shows the help of exactly that command', async (argv, usage) => {
    expect(await main(argv)).toBe(0)
    expect(printed.stdout.split('\n')[0]).toBe(usage)
    expect(printed.stderr).toBe('')
  })

  it('shows what up --help shows', async () => {
    await main(['migrate', 'up', '--help'])
    const shown = printed.stdout
    printed.stdout = ''
    await main(['help', 'migrate', 'up'])
    expect(printed.stdout).toBe(shown)
    expect(shown).toContain('$ obs migrate up --dry-run')
  })

  it.each([
    [['help', 'migrte'], 'did you mean migrate?'],
    [['help', 'migrate', 'upp'], 'did you mean up?'],
    [['help', 'migrate', 'up', 'more'], 'up has no commands of its own'],
  ])('%j names what is unknown, with exit code 2', async (argv, hint) => {
    expect(await main(argv)).toBe(2)
    expect(printed.stderr).toContain('unknown command')
    expect(printed.stderr).toContain(hint)
  })
})

describe('the error that ends a run', () => {
  const secret = 'postgres://me:geheim@127.0.0.1:1/none?nonsense=1'

  it('is one JSON line on stderr with --log-format json, and tells no password', async () => {
    expect(await main(['migrate', 'status', '--log-format', 'json', '--database-url', secret])).toBe(2)
    const lines = printed.stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 50,
      msg: expect.any(String),
      code: expect.any(String),
      hint: expect.any(String),
      exit_code: 2,
    })
    expect(printed.stderr).not.toContain('geheim')
    expect(printed.stdout).toBe('')
  })

  it('is one even where the settings cannot be read, or the flag does not exist', async () => {
    expect(await main(['migrate', 'up', '--log-format=json', '--config', '/no/such/file.json'])).toBe(2)
    expect(JSON.parse(printed.stderr)).toMatchObject({ level: 50, exit_code: 2 })
    printed.stderr = ''
    vi.stubEnv('OBS_LOG_FORMAT', 'json')
    expect(await main(['migrate', 'up', '--nonsense'])).toBe(2)
    expect(JSON.parse(printed.stderr)).toMatchObject({ msg: expect.stringContaining('--nonsense') })
  })

  it('stands on stdout as a document and on stderr as a line when both are asked for', async () => {
    expect(await main(['migrate', 'up', '--nonsense', '--json', '--log-format', 'json'])).toBe(2)
    expect(JSON.parse(printed.stdout).error.message).toBe(JSON.parse(printed.stderr).msg)
  })

  it('is text otherwise, whatever the run before it was told', async () => {
    await main(['migrate', 'up', '--nonsense', '--log-format', 'json'])
    printed.stderr = ''
    expect(await main(['migrate', 'up', '--nonsense'])).toBe(2)
    expect(printed.stderr).toMatch(/^error: .*--nonsense.*\nhint: /)
  })
})
