// Bundles src/ into dist/, which bin/obs.js runs.
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const { dependencies, optionalDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/**
 * Libraries that every command needs. Bundled they load in a third of the time, because Node no longer
 * looks for and reads a hundred files; what only some commands need stays where npm puts it.
 */
const bundled = ['cli-table3', 'commander', 'pgpass', 'postgres', 'zod']

const external = Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !bundled.includes(name))

rmSync(`${root}dist`, { recursive: true, force: true })
await build({
  cwd: root,
  input: {
    cli: 'src/cli.ts',
    'pg-dump-worker': 'src/backup/pg-dump-worker.ts',
    config: 'src/define-config.ts',
    'observability-thread': 'src/generators/observability/observability-thread.ts',
  },
  platform: 'node',
  // The oldest Node that package.json admits; it does not know `await using`.
  transform: { target: 'node20.19' },
  external: external.map((name) => new RegExp(`^${name}(/|$)`)),
  output: {
    dir: 'dist',
    format: 'esm',
    chunkFileNames: '[name]-[hash].js',
    comments: false,
    // Finding a file and linking it costs more than the code in it: what most commands need is one file.
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 6 }] },
  },
})
