// Builds obs when npm installs it from a checkout.
//
// `npm install -g .` links the checkout without installing what it depends on, so a checkout that
// was never installed is installed first. `--ignore-scripts` keeps that from coming back here.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const inRoot = (path) => existsSync(`${root}${path}`)

if (!inRoot('node_modules')) npm('ci', '--ignore-scripts')
if (inRoot('node_modules/rolldown')) {
  npm('run', 'build')
} else if (!inRoot('dist/cli.js')) {
  console.error('obs is not built, and what builds it was not installed: run npm ci without --omit=dev once')
  process.exit(1)
}

function npm(...args) {
  const { npm_config_global: _, ...env } = process.env
  const { status } = spawnSync('npm', args, { cwd: root, env, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}
