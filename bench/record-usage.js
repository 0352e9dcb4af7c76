// Loaded before obs by bench/run.js: writes what the process used when it ends.
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  const peak = process.resourceUsage().maxRSS / 1024
  writeFileSync(process.env.OBS_BENCH_RECORD, JSON.stringify({ cpu: (user + system) / 1000, peak }))
})
