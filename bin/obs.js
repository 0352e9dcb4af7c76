#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

// The one question that scripts ask in a loop is answered without loading the program.
if (process.argv.length === 3 && (process.argv[2] === '--version' || process.argv[2] === '-V')) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version)
} else {
  // A reader that has seen enough, as `head` has, closes the pipe; the work goes on without it.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
  // From Node 22.8 on, what was compiled once need not be again; beside the code, where who may write may change that too.
  module.enableCompileCache?.(fileURLToPath(new URL('../dist/compiled', import.meta.url)))
  const { main } = await import('../dist/cli.js')
  process.exitCode = await main(process.argv.slice(2))
}
