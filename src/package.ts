import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder obs is installed in; `src/` and `dist/` both lie directly below it. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url))

/** The version of obs that is running, from its package.json. */
export function obsVersion(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(`${packageRoot}package.json`, 'utf8'))
  return manifest.version
}
