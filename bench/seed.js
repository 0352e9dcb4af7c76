// Measures obs seed against the other ways to fill the same migrated table, on one server of one machine.
//
//   npm run bench:seed                                   500,000 traces, every contestant once
//   npm run bench:seed -- --only obs,floor               some of them
//   npm run bench:seed -- --traces 10000000 --only obs   the rate and the memory of a large run
//   npm run bench:seed -- --fraction 0.2                 the slow ones with a fifth of the rows, which flatters them
import { spawn, spawnSync } from 'node:child_process'
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { faker } from '@faker-js/faker/locale/en'
import postgres from 'postgres'
import { renderTable } from './table.js'

const { values: flags } = parseArgs({
  options: {
    traces: { type: 'string', default: '500000' },
    fraction: { type: 'string', default: '1' },
    only: { type: 'string', default: 'obs,floor,copy,select,faker,single' },
    workers: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const traces = Number(flags.traces)
const only = new Set(flags.only.split(','))
const executable = fileURLToPath(new URL('../bin/obs.js', import.meta.url))
const folder = mkdtempSync(join(flags.folder, 'obs-bench-'))
const environment = { PATH: process.env.PATH, HOME: folder, CI: 'true', TMPDIR: flags.folder }
const asOf = '2026-11-22'
const results = []

try {
  const url = obs(['db', 'url']).stdout.trim()
  const admin = postgres(url, { max: 1, onnotice: () => undefined })
  await describe(admin)
  obs(['migrate', 'up', '--backup', 'none', '--yes'])
  const { pathname } = new URL(url)
  const model = pathname.slice(1)
  await admin.end()
  await everything(url, model)
  console.log(table())
} finally {
  spawnSync(process.execPath, [executable, 'db', 'reset', '--yes', '--force'], { cwd: folder, env: environment })
  rmSync(folder, { recursive: true, force: true })
}

async function describe(sql) {
  const [{ server_version: version }] = await sql`show server_version`
  const settings = await sql`select name, current_setting(name) as value from pg_settings
    where name in ('shared_buffers', 'maintenance_work_mem', 'max_wal_size', 'wal_level', 'fsync', 'full_page_writes') order by name`
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`
  console.log(`${machine}, Node ${process.version}, PostgreSQL ${version}`)
  console.log(`${settings.map(({ name, value }) => `${name} ${value}`).join(', ')}\n`)
}

/** Every contestant gets a copy of the migrated database, and the rows that obs made where it needs some. */
async function everything(url, model) {
  const scale = await scaleFor(url, model)
  const seeded = await database(url, model, 'bench_obs')
  const { json, seconds, peak } = await timedSeed(seeded, scale)
  const rows = json.tables.traces.rows
  const all = json.rows_total
  const sql = postgres(seeded, { max: 1, onnotice: () => undefined })
  const shape = await shapeOf(sql)
  console.log(
    `${count(rows)} traces of ${shape.columns} columns, ${shape.indexes} indexes, ${shape.keys} foreign keys; ` +
      `${Math.round(json.proof.tables.traces.bytes / rows)} bytes a row as binary COPY; ` +
      `${count(all - rows)} rows in other tables\n`,
  )
  add(
    'obs seed, to the commit',
    rows,
    json.load_ms / 1000,
    'load, indexes, keys, proof, attach; evaluations, agents, users as well',
  )
  add(
    'obs seed, whole command',
    rows,
    seconds,
    `rollups, statistics and process included; ${Math.round(peak / 2 ** 20)} MiB at most`,
  )
  const parts = {
    floor: () => floor(url, model, sql, rows),
    copy: () => copyCsv(url, model, sql, rows),
    select: () => insertSelect(url, model, rows),
    faker: () => fakerBatches(url, model, 20_000, 1000),
    single: () => fakerBatches(url, model, 2000, 1),
  }
  for (const [name, run] of Object.entries(parts)) if (only.has(name)) await run()
  await sql.end()
}

/** The scale that makes about as many traces as are asked for, found with a small run. */
async function scaleFor(url, model) {
  const probe = await database(url, model, 'bench_probe')
  const { json } = await timedSeed(probe, 0.02)
  await drop(url, 'bench_probe')
  return (0.02 * traces) / json.tables.traces.rows
}

async function database(url, model, name) {
  const admin = postgres(named(url, 'postgres'), { max: 1, onnotice: () => undefined })
  await admin.unsafe(`create database ${name} template "${model}" strategy file_copy`)
  await admin`checkpoint`
  await admin.end()
  return named(url, name)
}

/** The URL of another database on the same server. */
function named(url, name) {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

async function drop(url, name) {
  const admin = postgres(named(url, 'postgres'), { max: 1, onnotice: () => undefined })
  await admin.unsafe(`drop database if exists ${name} with (force)`)
  await admin.end()
}

async function timedSeed(url, scale) {
  const workers = flags.workers ? ['--workers', flags.workers] : []
  const args = [
    'seed',
    '--days',
    '90',
    '--as-of',
    asOf,
    '--scale',
    String(scale),
    '--json',
    '--database-url',
    url,
    ...workers,
  ]
  const started = performance.now()
  const child = spawn(process.execPath, [executable, ...args], { cwd: folder, env: environment })
  let [out, err, peak] = ['', '', 0]
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text))
  const watch = setInterval(() => (peak = Math.max(peak, residentBytes(child.pid))), 50)
  const status = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(watch)
  if (status !== 0) throw new Error(`obs ${args.join(' ')} failed:\n${err}${out}`)
  return { json: JSON.parse(out), seconds: (performance.now() - started) / 1000, peak }
}

/** The peak of a Linux process, 0 elsewhere. */
function residentBytes(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

async function shapeOf(sql) {
  const [shape] = await sql`
    select (select count(*)::int from pg_attribute where attrelid = 'traces'::regclass and attnum > 0 and not attisdropped) as columns,
           (select count(*)::int from pg_index where indrelid = 'traces'::regclass) as indexes,
           (select count(*)::int from pg_constraint where conrelid = 'traces'::regclass and contype = 'f') as keys`
  return shape
}

/** The same bytes, encoded beforehand, by two connections into detached partitions that are indexed and attached. */
async function floor(url, model, seeded, rows) {
  const parts = await seeded`
    select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound, c.reltuples
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'traces'::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' order by c.reltuples desc`
  for (const { name } of parts) await copyToFile(seeded, `copy ${name} to stdout with (format binary)`, file(name))
  await copyToFile(seeded, 'copy evaluations to stdout with (format binary)', file('evaluations'))
  const target = await database(url, model, 'bench_floor')
  const references = ['workspaces', 'departments', 'environments', 'agents', 'users']
  for (const name of references) await copyToFile(seeded, `copy ${name} to stdout with (format binary)`, file(name))
  const connections = [1, 2].map(() => postgres(target, { max: 1, onnotice: () => undefined }))
  for (const sql of connections) await sql`set maintenance_work_mem to '256MB'`
  const [first] = connections
  const started = performance.now()
  for (const name of references) await copyFromFile(first, `copy ${name} from stdin with (format binary)`, file(name))
  const waiting = [...parts]
  let evaluationsLoaded = false
  await Promise.all(
    connections.map(async (sql) => {
      for (let part = waiting.shift(); part; part = waiting.shift()) await fillDetached(sql, part)
      if (evaluationsLoaded) return
      evaluationsLoaded = true
      await copyFromFile(sql, 'copy evaluations from stdin with (format binary)', file('evaluations'))
    }),
  )
  for (const { name, bound } of parts) await first.unsafe(`alter table traces attach partition ${name} ${bound}`)
  add(
    'floor: the same bytes, already encoded',
    rows,
    (performance.now() - started) / 1000,
    'two connections, detached partitions, indexed and attached; evaluations as well',
  )
  for (const sql of connections) await sql.end()
  await drop(url, 'bench_floor')
}

async function fillDetached(sql, { name, bound }) {
  const [, from, to] = /FROM \((.*)\) TO \((.*)\)/.exec(bound)
  await sql.begin(async (tx) => {
    await tx.unsafe(`create table ${name} (like traces including defaults including constraints including generated including storage,
      constraint in_range check (timestamp >= ${from} and timestamp < ${to}))`)
    await copyFromFile(tx, `copy ${name} from stdin with (format binary, freeze)`, file(name))
  })
  const statements = await sql`
    select format('alter table %I add %s', ${name}::text, pg_get_constraintdef(oid)) as statement, 1 as rank
    from pg_constraint where conrelid = 'traces'::regclass and contype in ('p', 'u', 'f') and conparentid = 0
    union all
    select format('create %s on %I%s', case when indisunique then 'unique index' else 'index' end, ${name}::text,
                  substring(pg_get_indexdef(indexrelid) from ' USING .*$')), 2
    from pg_index i where indrelid = 'traces'::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
    order by rank`
  for (const { statement } of statements) await sql.unsafe(statement)
}

/** The same rows from a prepared CSV file into the finished table. */
async function copyCsv(url, model, seeded, rows) {
  const wanted = Math.round(rows * Number(flags.fraction))
  const columns = await columnsOf(seeded)
  await copyToFile(
    seeded,
    `copy (select ${columns} from traces limit ${wanted}) to stdout with (format csv)`,
    file('csv'),
  )
  const { sql, close } = await prepared(url, model, seeded)
  const started = performance.now()
  await copyFromFile(sql, `copy traces (${columns}) from stdin with (format csv)`, file('csv'))
  const [landed] = await sql`select count(*)::int as rows from traces`
  add(
    'COPY of a CSV into the finished table',
    landed.rows,
    (performance.now() - started) / 1000,
    `${count(statSync(file('csv')).size / 2 ** 20)} MiB of CSV`,
  )
  await close()
}

/** Comparable rows made by the server itself. */
async function insertSelect(url, model, rows) {
  const wanted = Math.round(rows * Number(flags.fraction))
  const { sql, close } = await prepared(url, model)
  const started = performance.now()
  await sql.unsafe(`
    with d as (select array_agg(id order by id) as ids, min(workspace_id::text)::uuid as workspace from departments),
         e as (select array_agg(id order by id) as ids from environments)
    insert into traces (trace_id, workspace_id, agent_id, timestamp, latency_ms, input, output, error, status, model,
      model_provider, tokens_input, tokens_output, tokens_total, cost_usd, metadata, tags, user_id, department_id,
      environment_id, version, intent_category, user_segment)
    select md5(i::text), d.workspace, 'agent-' || i % 87, timestamptz '${asOf}' - interval '90 days' * random(),
      (exp(7.5 + 0.7 * sqrt(-2 * ln(1 - random())) * cos(6.283185307 * random())))::int + 1,
      repeat('a prompt of some length ', 4) || i, case when i % 25 > 0 then repeat('an answer of some length ', 6) || i end,
      case when i % 25 = 0 then 'rate_limit: too many requests' end, case when i % 25 = 0 then 'error' else 'success' end,
      'gpt-4o', 'openai', i % 900 + 100, i % 600 + 50, i % 900 + i % 600 + 150, (i % 1000)::numeric / 100000,
      jsonb_build_object('obs_run', 'bench', 'region', 'eu-west', 'temperature', 0.2), array['engineering', 'code-assistant'],
      'member-' || i % 500, d.ids[1 + i % 10], e.ids[1 + i % 3], 'v2.1', 'research', 'regular'
    from generate_series(1, ${wanted}) i, d, e`)
  add(
    'INSERT … SELECT from generate_series',
    wanted,
    (performance.now() - started) / 1000,
    'rows made in SQL, into the finished table',
  )
  await close()
}

/** What people write: rows of faker's, in INSERTs of so many rows. */
async function fakerBatches(url, model, rows, batch) {
  const { sql, close } = await prepared(url, model)
  const ids = async (table) => (await sql`select id from ${sql(table)} order by id`).map(({ id }) => id)
  const [departments, environments] = [await ids('departments'), await ids('environments')]
  const [{ workspace_id }] = await sql`select workspace_id from departments limit 1`
  faker.seed(7)
  const started = performance.now()
  for (let done = 0; done < rows; done += batch) {
    const made = Array.from({ length: batch }, () => fakerRow(workspace_id, departments, environments))
    await sql`insert into traces ${sql(made)}`
  }
  const seconds = (performance.now() - started) / 1000
  add(
    batch > 1 ? 'faker, INSERTs of 1,000 rows' : 'faker, row by row',
    rows,
    seconds,
    `postgres.js, from ${count(rows)} rows`,
  )
  await close()
}

function fakerRow(workspace_id, departments, environments) {
  const [input, output] = [faker.number.int({ min: 50, max: 2000 }), faker.number.int({ min: 20, max: 900 })]
  return {
    ...{ trace_id: faker.string.hexadecimal({ length: 32, prefix: '' }), workspace_id },
    ...{ agent_id: `agent-${faker.number.int(86)}`, timestamp: faker.date.between({ from: '2026-08-24', to: asOf }) },
    ...{
      latency_ms: faker.number.int({ min: 200, max: 9000 }),
      input: faker.lorem.sentence(14),
      output: faker.lorem.sentence(22),
    },
    ...{ status: 'success', model: 'gpt-4o', model_provider: 'openai', tokens_input: input, tokens_output: output },
    ...{ tokens_total: input + output, cost_usd: faker.number.float({ max: 0.05, fractionDigits: 6 }) },
    ...{ metadata: { region: faker.location.countryCode() }, tags: [faker.word.noun(), faker.word.noun()] },
    ...{ user_id: faker.internet.username(), department_id: faker.helpers.arrayElement(departments) },
    ...{ environment_id: faker.helpers.arrayElement(environments), version: 'v2.1', intent_category: 'research' },
    ...{ user_segment: 'regular' },
  }
}

/** A migrated database with the workspace that rows refer to, and its partitions made. */
async function prepared(url, model) {
  const name = 'bench_other'
  const target = await database(url, model, name)
  const sql = postgres(target, { max: 1, onnotice: () => undefined })
  const source = postgres(named(url, 'bench_obs'), { max: 1, onnotice: () => undefined })
  for (const table of ['workspaces', 'departments', 'environments']) {
    await copyToFile(source, `copy ${table} to stdout with (format binary)`, file(table))
    await copyFromFile(sql, `copy ${table} from stdin with (format binary)`, file(table))
  }
  await source.end()
  await sql`select traces_ensure_partitions(${asOf}::timestamptz - interval '90 days', ${asOf}::timestamptz)`
  const close = async () => {
    await sql.end()
    await drop(url, name)
  }
  return { sql, close }
}

async function columnsOf(sql) {
  const [row] = await sql`
    select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
    where attrelid = 'traces'::regclass and attnum > 0 and not attisdropped and attname <> 'id'`
  return row.columns
}

async function copyToFile(sql, statement, path) {
  const source = await sql.unsafe(statement).readable()
  await pipeline(source, createWriteStream(path))
  source._read(0)
}

async function copyFromFile(sql, statement, path) {
  const target = await sql.unsafe(statement).writable()
  await pipeline(createReadStream(path, { highWaterMark: 256 * 1024 }), target)
}

function file(name) {
  return join(folder, `${name}.data`)
}

function obs(args) {
  const child = spawnSync(process.execPath, [executable, ...args], { cwd: folder, env: environment, encoding: 'utf8' })
  if (child.status !== 0) throw new Error(`obs ${args.join(' ')} failed:\n${child.stderr}${child.stdout}`)
  return child
}

function add(name, rows, seconds, remark) {
  results.push({ name, rows, seconds, rate: rows / seconds, remark })
  console.log(`${name}: ${seconds.toFixed(2)} s for ${count(rows)} rows`)
}

/** How much faster obs is: to the commit, and as a whole. */
function table() {
  const [load, whole] = results
  const columns = ['', 'rows', 'seconds', 'rows/s', 'obs, to the commit', 'obs, whole command', '']
  const rows = results.map(({ name, rows, seconds, rate, remark }) => [
    ...[name, count(rows), seconds.toFixed(2), count(rate)],
    ...[`${(load.rate / rate).toFixed(2)}×`, `${(whole.rate / rate).toFixed(2)}×`, remark],
  ])
  const align = (title, i) => ({ title, ...(i > 0 && i < 6 ? { align: 'right' } : {}) })
  return `\n${renderTable(columns.map(align), rows)}`
}

function count(number) {
  return Math.round(number).toLocaleString('en')
}
