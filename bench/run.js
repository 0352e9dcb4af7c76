// Measures the figures that docs/performance.md promises, each as a ratio against something
// measured in the same run or as CPU time and memory, which other work on the machine does not change much.
//
//   npm run bench                      everything (several minutes)
//   npm run bench -- startup status    only these
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderTable } from './table.js'

const executable = fileURLToPath(new URL('../bin/obs.js', import.meta.url))
const recorder = new URL('./record-usage.js', import.meta.url).href

const benchmarks = { startup, status, demo, memory }

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in benchmarks))
if (unknown.length > 0) {
  console.error(`unknown benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}

console.log(
  `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`,
)
const rows = []
for (const [name, measure] of Object.entries(benchmarks)) {
  if (asked.length === 0 || asked.includes(name)) rows.push(...inFolder(measure))
}
console.log(
  renderTable(
    [{ title: 'figure' }, { title: 'measured', align: 'right' }, { title: 'goal', align: 'right' }, { title: '' }],
    rows,
  ),
)

/** `obs --version` against bare Node: the medians of 25 alternating runs each. */
function startup(cwd) {
  const bare = []
  const version = []
  for (let i = 0; i < 25; i++) {
    bare.push(time(['-e', '0'], cwd))
    version.push(time([executable, '--version'], cwd))
  }
  const ratio = median(version) / median(bare)
  return [row('obs --version ÷ node -e 0', `${ratio.toFixed(2)}×`, '≤ 2×', ratio <= 2)]
}

/** CPU time of `obs migrate status` with nothing pending, the median of 5 runs. */
function status(cwd) {
  run(['migrate', 'up'], cwd)
  const cpu = median(Array.from({ length: 5 }, () => run(['migrate', 'status'], cwd).cpu))
  return [row('obs migrate status, CPU', `${Math.round(cpu)} ms`, '≤ 400 ms', cpu <= 400)]
}

/** The whole demo on a new embedded server. */
function demo(cwd) {
  const { wall, output } = run(['demo', '--json'], cwd)
  const { traces } = JSON.parse(output)
  return [
    row('obs demo, wall time', `${(wall / 1000).toFixed(1)} s`, '< 90 s', wall < 90_000),
    row('obs demo, traces', traces.toLocaleString('en-US'), '≥ 350,000', traces >= 350_000),
  ]
}

/** Peak memory of `obs seed`, which must not grow with the rows. */
function memory(cwd) {
  run(['migrate', 'up'], cwd)
  return [0.25, 5].map((scale) => {
    const { peak, output } = run(['seed', '--days', '90', '--scale', String(scale), '--replace', '--json'], cwd)
    const { tables, rows_per_second } = JSON.parse(output)
    const title = `obs seed, ${tables.traces.rows.toLocaleString('en-US')} traces, peak memory`
    const measured = `${Math.round(peak)} MiB at ${rows_per_second.toLocaleString('en-US')} rows/s`
    return row(title, measured, '≤ 300 MiB', peak <= 300)
  })
}

function row(title, measured, goal, reached) {
  return [title, measured, goal, reached ? 'reached' : 'MISSED']
}

/** Gives `work` an empty project folder, and deletes the embedded server afterwards wherever it lives. */
function inFolder(work) {
  const cwd = mkdtempSync(join(tmpdir(), 'obs-bench-'))
  try {
    return work(cwd)
  } finally {
    run(['db', 'reset', '--yes', '--force'], cwd)
    rmSync(cwd, { recursive: true, force: true })
  }
}

/** Runs obs and returns wall and CPU milliseconds, peak memory in MiB, and stdout. */
function run(args, cwd) {
  const record = join(cwd, 'usage.json')
  const started = performance.now()
  const child = spawnSync(process.execPath, ['--import', recorder, executable, ...args], {
    cwd,
    env: { ...environment(cwd), OBS_BENCH_RECORD: record },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (child.status !== 0) throw new Error(`obs ${args.join(' ')} failed:\n${child.stderr}${child.stdout}`)
  const usage = JSON.parse(readFileSync(record, 'utf8'))
  return { wall: performance.now() - started, cpu: usage.cpu, peak: usage.peak, output: child.stdout }
}

function time(args, cwd) {
  const started = performance.now()
  spawnSync(process.execPath, args, { cwd, env: environment(cwd) })
  return performance.now() - started
}

function environment(cwd) {
  return { PATH: process.env.PATH, HOME: cwd, CI: 'true' }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
