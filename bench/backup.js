// Measures obs backup against pg_dump -Fc and pg_restore -j 2, side by side on one server.
//
//   npm run bench:backup                                  500,000 traces with 20 indexes, one round
//   npm run bench:backup -- --rows 5000000 --rounds 1
//   npm run bench:backup -- --pg-bin /usr/lib/postgresql/18/bin
//
// Without a pg_dump as new as the server, only obs is measured.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import postgres from 'postgres'
import { renderTable } from './table.js'

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '1' },
    'pg-bin': { type: 'string', default: '' },
    /** A database whose table public.traces is there already, so that several runs need to fill it only once. */
    'database-url': { type: 'string', default: '' },
  },
})
const executable = fileURLToPath(new URL('../bin/obs.js', import.meta.url))
const recorder = new URL('./record-usage.js', import.meta.url).href
const folder = mkdtempSync(join(tmpdir(), 'obs-bench-'))
const environment = { PATH: process.env.PATH, HOME: folder, CI: 'true' }
const mebi = 2 ** 20

try {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
  )
  const url = flags['database-url'] || must(process.execPath, [executable, 'db', 'url']).trim()
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  const [{ version, major }] = await sql`
    select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major`
  if (!flags['database-url']) await fill(sql)
  const [{ rows, table, indexes }] = await sql`
    select (select count(*)::int from traces) as rows, pg_table_size('traces')::float8 as table,
           pg_indexes_size('traces')::float8 as indexes`
  console.log(
    `PostgreSQL ${version}, ${rows.toLocaleString('en-US')} traces: ${Math.round(table / mebi)} MiB, ` +
      `indexes ${Math.round(indexes / mebi)} MiB\n`,
  )
  print(await measure(sql, url, nativeTools(major)))
  await sql.end()
} finally {
  spawnSync(process.execPath, [executable, 'db', 'reset', '--yes', '--force'], { cwd: folder, env: environment })
  rmSync(folder, { recursive: true, force: true })
}

/** A table like the one of a pack for traces: 24 columns, about 600 bytes a row, 20 indexes. */
async function fill(sql) {
  await sql.unsafe(`
    create table traces (
      id bigserial, trace_id varchar(64) not null, workspace_id uuid not null, agent_id varchar(128) not null,
      timestamp timestamptz not null, latency_ms integer not null, input text, output text, error text, status varchar(20),
      model varchar(64), model_provider varchar(32), tokens_input int, tokens_output int, tokens_total int,
      cost_usd numeric(10, 6), metadata jsonb, tags varchar(64)[], user_id varchar(128), department_id uuid,
      environment_id uuid, version varchar(50), intent_category varchar(100), user_segment varchar(50));
    insert into traces
    select g, md5(g::text), '11111111-1111-4111-8111-111111111111', 'support-agent-' || g % 90,
           timestamptz '2026-01-01' + g * interval '15 s', (random() * 4000)::int,
           'How do I ' || md5(random()::text) || ' with ' || md5(random()::text) || '?',
           'Open the page ' || md5(random()::text) || ' and choose ' || md5(random()::text) || ', then ' || md5(random()::text),
           case when g % 40 = 0 then 'rate_limit' end, case when g % 40 = 0 then 'error' else 'success' end,
           (array['gpt-4o', 'claude-sonnet', 'gemini-pro'])[1 + g % 3], (array['openai', 'anthropic', 'google'])[1 + g % 3],
           (random() * 2000)::int, (random() * 900)::int, (random() * 2900)::int, (random() * 0.2)::numeric(10, 6),
           jsonb_build_object('session', md5((g / 7)::text), 'retries', g % 3, 'region', 'eu-' || g % 4),
           array['tag-' || g % 20, 'team-' || g % 9], 'user-' || g % 500, md5((g % 10)::text)::uuid, md5((g % 3)::text)::uuid,
           'v2.' || g % 3, 'research', 'regular'
    from generate_series(1, ${Number(flags.rows)}) g;
    alter table traces add primary key (timestamp, trace_id);
    create unique index on traces (trace_id, timestamp)`)
  const plain = ['workspace_id, timestamp desc', 'agent_id, timestamp desc', 'model', 'workspace_id, agent_id']
  plain.push('workspace_id, model', 'workspace_id, status', 'workspace_id, user_id', 'department_id, timestamp desc')
  plain.push('environment_id, timestamp desc', 'version, timestamp desc', 'intent_category, timestamp desc')
  plain.push('user_segment, timestamp desc', 'workspace_id, department_id, timestamp desc')
  plain.push('workspace_id, environment_id, timestamp desc', 'department_id, environment_id, timestamp desc')
  for (const columns of plain) await sql.unsafe(`create index on traces (${columns})`)
  await sql.unsafe(`
    create index on traces (status) where status <> 'success';
    create index on traces using gin (tags);
    create index on traces using gin (metadata)`)
  await sql`vacuum analyze traces`
  await sql`checkpoint`
}

/** pg_dump and pg_restore that can work with this server; undefined without. */
function nativeTools(major) {
  const tool = (name) => (flags['pg-bin'] ? join(flags['pg-bin'], name) : name)
  const { stdout = '' } = spawnSync(tool('pg_dump'), ['--version'], { encoding: 'utf8' })
  const found = Number(/PostgreSQL\) (\d+)/.exec(stdout ?? '')?.[1] ?? 0)
  if (found >= major) return { dump: tool('pg_dump'), restore: tool('pg_restore') }
  console.log(`no pg_dump ${major} on the PATH or in --pg-bin, so there is nothing to compare with\n`)
  return undefined
}

/** All of them in turn, so that a busy minute hits all of them. */
async function measure(sql, url, tools) {
  const times = { nativeDump: [], dump: [], verify: [], nativeRestore: [], restore: [] }
  const peaks = { dump: 0, restore: 0 }
  const address = new URL(url)
  const database = address.pathname.slice(1)
  const native = { ...environment, PGPASSWORD: decodeURIComponent(address.password) }
  const at = ['-h', address.hostname, '-p', address.port, '-U', address.username]
  for (let round = 0; round < Number(flags.rounds); round++) {
    const archive = join(folder, 'native.dump')
    const backups = join(folder, `backups-${round}`)
    if (tools) times.nativeDump.push(time(tools.dump, [...at, '-Fc', '-f', archive, database], native).wall)
    const on = ['--directory', backups, '--json', '--database-url', url]
    const dump = obs(['backup', 'create', '--engine', 'built-in', ...on])
    const { id } = JSON.parse(dump.output)
    times.dump.push(dump.wall)
    times.verify.push(obs(['backup', 'verify', id, ...on]).wall)
    await sql`checkpoint`
    if (tools) {
      await sql`create database obs_bench_native template template0`
      const args = [...at, '-j', '2', '-d', 'obs_bench_native', archive]
      times.nativeRestore.push(time(tools.restore, args, native).wall)
      await sql`drop database obs_bench_native`
      await sql`checkpoint`
    }
    const restore = obs(['backup', 'restore', id, '--to', 'obs_bench_restored', ...on])
    times.restore.push(restore.wall)
    await sql`drop database obs_bench_restored`
    peaks.dump = Math.max(peaks.dump, dump.peak)
    peaks.restore = Math.max(peaks.restore, restore.peak)
    rmSync(archive, { force: true })
    rmSync(backups, { recursive: true })
  }
  const ratio = (a, b) => (b.length > 0 ? `${(median(a) / median(b)).toFixed(2)}×` : '')
  return [
    ['pg_dump -Fc', seconds(times.nativeDump), '', ''],
    ['obs backup create, built-in', seconds(times.dump), ratio(times.dump, times.nativeDump), '≤ 1.3× of pg_dump'],
    ['obs backup verify', seconds(times.verify), ratio(times.verify, times.dump), '≤ 0.3× of create'],
    ['pg_restore -j 2', seconds(times.nativeRestore), '', ''],
    [
      'obs backup restore, built-in',
      seconds(times.restore),
      ratio(times.restore, times.nativeRestore),
      '≤ 1× of pg_restore',
    ],
    ['peak memory of create', `${Math.round(peaks.dump)} MiB`, '', '≤ 300 MiB'],
    ['peak memory of restore', `${Math.round(peaks.restore)} MiB`, '', '≤ 300 MiB'],
  ]
}

function obs(args) {
  const record = join(folder, 'usage.json')
  const command = ['--import', recorder, executable, ...args]
  const result = time(process.execPath, command, { ...environment, OBS_BENCH_RECORD: record })
  return { ...result, peak: JSON.parse(readFileSync(record, 'utf8')).peak }
}

function time(command, args, env) {
  const started = performance.now()
  const output = must(command, args, env)
  return { wall: performance.now() - started, output }
}

function must(command, args, env = environment) {
  const child = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (child.status !== 0) throw new Error(`${command} ${args[0]} … failed:\n${child.stderr}${child.stdout}`)
  return child.stdout
}

function print(rows) {
  const columns = [
    { title: '' },
    { title: 'time', align: 'right' },
    { title: 'ratio', align: 'right' },
    { title: 'goal' },
  ]
  console.log(renderTable(columns, rows))
}

function seconds(times) {
  return times.length === 0 ? 'not measured' : `${(median(times) / 1000).toFixed(2)} s`
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
