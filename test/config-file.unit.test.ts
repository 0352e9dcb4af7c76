import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configFileNames, readConfigFile } from '../src/config-file.js'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-config-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  return path
}

describe('a configuration file', () => {
  it.each([
    ['obs.config.json', '{"backups":"here"}'],
    ['obs.config.json', '\uFEFF{"backups":"here"}'],
    ['obs.config.js', 'export default { backups: "here" }'],
    ['obs.config.js', 'module.exports = { backups: "here" }'],
    ['obs.config.mjs', 'export default { backups: "here" }'],
    ['obs.config.ts', 'const backups: string = "here"\nexport default { backups } as { backups: string }'],
  ])('is read: %s %s', async (name, text) => {
    const path = await write(name, text)
    expect(await readConfigFile(folder)).toEqual({ path, folder, content: { backups: 'here', packs: [] } })
  })

  it('is looked for in the folders above', async () => {
    const path = await write('obs.config.json', '{}')
    await write('a/b/.keep', '')
    expect(await readConfigFile(join(folder, 'a/b'))).toMatchObject({ path, folder })
  })

  it('is the nearest one, TypeScript before JSON', async () => {
    await write('obs.config.json', '{}')
    const near = await write('a/obs.config.json', '{}')
    expect((await readConfigFile(join(folder, 'a'))).path).toBe(near)
    const typed = await write('a/obs.config.ts', 'export default {}')
    expect((await readConfigFile(join(folder, 'a'))).path).toBe(typed)
    expect(configFileNames[0]).toBe('obs.config.ts')
  })

  it('need not exist', async () => {
    expect(await readConfigFile(folder)).toMatchObject({ path: undefined, content: { packs: [] } })
  })

  it('has to exist when it is named', async () => {
    await expect(readConfigFile(folder, { path: 'none.json', source: 'OBS_CONFIG' })).rejects.toMatchObject({
      exitCode: 2,
      code: 'config_not_found',
      message: `OBS_CONFIG names ${join(folder, 'none.json')}, which does not exist`,
    })
  })

  it('may have any name when it is named', async () => {
    const path = await write('other.json', '{"pack":"app"}')
    expect(await readConfigFile(folder, { path: 'other.json', source: '--config' })).toMatchObject({
      path,
      content: { pack: 'app' },
    })
  })

  it('holds packs of one’s own', async () => {
    await write('obs.config.json', '{"packs":[{"name":"app","migrations":"./db"}]}')
    expect((await readConfigFile(folder)).content.packs).toEqual([
      { name: 'app', migrations: './db', schema: 'public', historySchema: 'obs' },
    ])
  })

  it('takes every UUID that PostgreSQL takes', async () => {
    await write('obs.config.json', '{"workspace":"00000000-0000-0000-0000-0000000000AB"}')
    expect((await readConfigFile(folder)).content.workspace).toBe('00000000-0000-0000-0000-0000000000ab')
  })
})

describe('a configuration file with mistakes', () => {
  it('has all of them reported at once', async () => {
    const path = await write(
      'obs.config.json',
      JSON.stringify({
        databaseURL: 'postgres://u:hush@h/d',
        backups: '',
        workspace: 'mine',
        logLevel: 'loud',
        colour: true,
        packs: [{ name: 'My App', migrations: 'db', schema: 'x'.repeat(64), shcema: 'y' }],
      }),
    )
    const error = await readConfigFile(folder).catch((thrown) => thrown)
    expect(error).toMatchObject({ exitCode: 2, code: 'invalid_config', details: { path } })
    for (const part of [
      `${path} has 8 problems:`,
      'databaseURL: is not a setting, did you mean databaseUrl?',
      'colour: is not a setting',
      'backups:',
      'workspace: is not a UUID',
      'logLevel:',
      'packs.0.name: must be lower case',
      'packs.0.schema: must be at most 63 bytes long',
      'packs.0.shcema: is not a setting, did you mean schema?',
    ]) {
      expect(error.message).toContain(part)
    }
    expect(JSON.stringify([error.message, error.details])).not.toContain('hush')
  })

  it('says that two packs share a name', async () => {
    await write('obs.config.json', '{"packs":[{"name":"a","migrations":"x"},{"name":"a","migrations":"y"}]}')
    await expect(readConfigFile(folder)).rejects.toThrow('packs: two packs share a name')
  })

  it.each(['[]', '"text"', 'null', '42'])('is not the right kind of value: %s', async (text) => {
    await write('obs.config.json', text)
    await expect(readConfigFile(folder)).rejects.toMatchObject({ code: 'invalid_config' })
  })

  it.each([
    '{"databaseUrl": "postgres://u:hush@h/d",}',
    '{"databaseUrl": "postgres://u:hush@h/d"',
    '{"databaseUrl": postgres://u:hush@h/d}',
    '{"databaseUrl": "postgres://u:hush\n@h/d"}',
    'hush',
    '',
  ])('is not JSON, and nothing of it is quoted: %j', async (text) => {
    const path = await write('obs.config.json', text)
    const error = await readConfigFile(folder).catch((thrown) => thrown)
    expect(error).toMatchObject({ exitCode: 2, code: 'invalid_config' })
    expect(error.message).toContain(`${path} cannot be read: it is not valid JSON`)
    expect(JSON.stringify([error.message, error.details])).not.toContain('hush')
    expect(error.cause).toBeUndefined()
  })

  it('says where the JSON goes wrong', async () => {
    await write('obs.config.json', '{\n  "backups": "x"\n  "pack": "y"\n}')
    await expect(readConfigFile(folder)).rejects.toThrow('(line 3, column 3)')
  })

  it.each([
    ['obs.config.ts', 'export default {'],
    ['obs.config.js', 'throw new Error("no luck")'],
    ['obs.config.mjs', 'import "./missing.js"'],
  ])('cannot be run: %s', async (name, text) => {
    const path = await write(name, text)
    await expect(readConfigFile(folder)).rejects.toMatchObject({
      exitCode: 2,
      code: 'invalid_config',
      message: expect.stringContaining(`${path} cannot be read: `),
    })
  })

  it('is a folder', async () => {
    await write('obs.config.json/x', '')
    await expect(readConfigFile(folder)).rejects.toMatchObject({ exitCode: 2, code: 'invalid_config' })
  })
})
