// Runs database tests on several PostgreSQL versions, one after another:
//
//   npm run test:matrix                             every version, every database test
//   npm run test:matrix -- 15 16 test/migrator      two versions, one folder
//   npm run test:matrix -- 15 --bail 1              what follows the versions goes to vitest
//
// 18 is the PostgreSQL that obs comes with; the others are installed from test/servers.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const servers = join(root, 'test/servers')
const own = '18'
const known = [...readdirSync(servers).map((name) => name.replace('postgres-', '')), own].sort()

const [versions, rest] = splitArguments(process.argv.slice(2))
const unknown = versions.filter((version) => !known.includes(version))
if (unknown.length > 0) {
  console.error(`no PostgreSQL ${unknown.join(', ')} to test on; choose from ${known.join(', ')}`)
  process.exit(2)
}
npm('run', '--silent', 'build')
const failed = versions.filter((version) => !passes(version))
for (const version of versions) {
  console.log(`PostgreSQL ${version}: ${failed.includes(version) ? 'failed' : 'passed'}`)
}
process.exitCode = failed.length === 0 ? 0 : 1

/** The versions come first; what follows is vitest's. */
function splitArguments(words) {
  const first = words.findIndex((word) => !/^\d+$/.test(word))
  const end = first < 0 ? words.length : first
  const rest = words.slice(end)
  return [
    end === 0 ? known : words.slice(0, end),
    rest.includes('--project') ? rest : ['--project', 'database', ...rest],
  ]
}

function passes(version) {
  if (version !== own) install(join(servers, `postgres-${version}`))
  console.log(`PostgreSQL ${version}`)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const env = { ...process.env, OBS_TEST_POSTGRES: version }
  delete env.OBS_TEST_DATABASE_URL
  return run(process.execPath, [vitest, 'run', ...rest], { env }) === 0
}

/** Only when it is missing, or the lock file names another release. */
function install(folder) {
  const wanted = packagesIn(join(folder, 'package-lock.json'))
  const there = packagesIn(join(folder, 'node_modules/.package-lock.json'))
  const installed = Object.entries(there).every(([name, { version }]) => wanted[name]?.version === version)
  if (installed && Object.keys(there).length > 0) return
  npm('ci', '--no-audit', '--no-fund', '--prefix', folder)
}

function packagesIn(lockFile) {
  if (!existsSync(lockFile)) return {}
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages
}

function npm(...args) {
  const status = run('npm', args, { shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status)
}

function run(program, args, options) {
  return spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options }).status ?? 1
}
