// Measures obs migrate against dbmate, node-pg-migrate, a bare loop in Node and one psql session, side by side on one server.
//
//   npm run bench:migrations                        1,000 small migrations, three rounds
//   npm run bench:migrations -- --files 5000 --rounds 1
//   npm run bench:migrations -- --preserve          the cost of the preservation hashes instead
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import postgres from 'postgres'
import { renderTable } from './table.js'

const { values: flags } = parseArgs({
  options: {
    files: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string', default: '1000000' },
    preserve: { type: 'boolean', default: false },
  },
})
const files = Number(flags.files)
const rounds = Number(flags.rounds)
const executable = fileURLToPath(new URL('../bin/obs.js', import.meta.url))
const tools = fileURLToPath(new URL('./tools', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'obs-bench-'))
const environment = { PATH: process.env.PATH, HOME: folder, CI: 'true' }

try {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
  )
  if (!existsSync(join(tools, 'node_modules'))) must('npm', ['install', '--no-package-lock'], tools, process.env)
  const url = must(process.execPath, [executable, 'db', 'url'], folder).trim()
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  const [{ server_version: version }] = await sql`show server_version`
  console.log(`PostgreSQL ${version}, ${files} migrations of three statements, ${rounds} rounds\n`)
  writeFolders()
  if (!flags.preserve) print(await compare(sql, url))
  else print(await preservation(sql))
  await sql.end()
} finally {
  spawnSync(process.execPath, [executable, 'db', 'reset', '--yes', '--force'], { cwd: folder, env: environment })
  rmSync(folder, { recursive: true, force: true })
}

/** The same migrations in the form of each tool. */
function writeFolders() {
  for (const name of ['obs', 'dbmate', 'node-pg-migrate']) mkdirSync(join(folder, name))
  const session = ['create table if not exists done (version bigint primary key, at timestamptz default now());']
  for (let i = 1; i <= files; i++) {
    const version = 20260101000000 + i
    const up = `create table item_${i} (id bigint generated always as identity primary key, name text not null, made_at timestamptz not null default now());
create index idx_item_${i}_name on item_${i} (name);
comment on table item_${i} is 'item number ${i}';
`
    const down = `drop table item_${i};\n`
    writeFileSync(join(folder, 'obs', `${version}_item_${i}.up.sql`), up)
    writeFileSync(join(folder, 'obs', `${version}_item_${i}.down.sql`), down)
    writeFileSync(join(folder, 'dbmate', `${version}_item_${i}.sql`), `-- migrate:up\n${up}\n-- migrate:down\n${down}`)
    const npm = `-- Up Migration\n${up}\n-- Down Migration\n${down}`
    writeFileSync(join(folder, 'node-pg-migrate', `${version}_item-${i}.sql`), npm)
    session.push(`begin;\n${up}insert into done (version) values (${version});\ncommit;`)
  }
  writeFileSync(join(folder, 'session.sql'), session.join('\n'))
  writeFileSync(join(folder, 'bare.mjs'), bareLoop())
  const packs = [{ name: 'bench', migrations: './obs', schema: 'public' }]
  writeFileSync(join(folder, 'obs.config.json'), JSON.stringify({ packs }))
}

/** The least that a runner in Node does: the names of the files, the versions that ran, a transaction for each of the others. */
function bareLoop() {
  return `
import { readdirSync, readFileSync } from 'node:fs'
import postgres from ${JSON.stringify(import.meta.resolve('postgres'))}
const sql = postgres(process.argv[2], { max: 1, onnotice: () => undefined })
await sql\`create table if not exists done (version bigint primary key)\`
const ran = new Set((await sql\`select version from done\`).map(({ version }) => version))
for (const file of readdirSync('obs').filter((name) => name.endsWith('.up.sql')).sort()) {
  const version = file.split('_')[0]
  if (!ran.has(version)) await sql.unsafe(\`begin; \${readFileSync('obs/' + file, 'utf8')}; insert into done values (\${version}); commit\`)
}
await sql.end()
`
}

/** Times every tool from empty and with nothing to do, in turn, so that a busy minute hits all of them. */
async function compare(sql, url) {
  const runs = contestants(url)
  const times = Object.fromEntries(Object.keys(runs).map((name) => [name, { empty: [], nothing: [] }]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) {
      await wipe(sql)
      times[name].empty.push(time(run))
      for (let i = 0; i < 5; i++) times[name].nothing.push(run.again ? time(run) : Number.NaN)
    }
  }
  return [
    ['tool', 'from empty', 'obs ÷ it', 'nothing to do', 'obs ÷ it'],
    ...Object.entries(times).map(([name, { empty, nothing }]) => [
      name,
      seconds(median(empty)),
      `${(median(times['obs'].empty) / median(empty)).toFixed(2)}×`,
      seconds(median(nothing)),
      runs[name].again ? `${(median(times['obs'].nothing) / median(nothing)).toFixed(2)}×` : '',
    ]),
  ]
}

function contestants(url) {
  const tool = (name) => join(tools, 'node_modules', '.bin', name)
  const npm = ['up', '-m', join(folder, 'node-pg-migrate'), '--no-single-transaction', '--no-check-order']
  const all = {
    obs: { command: process.execPath, args: [executable, 'migrate', 'up'], again: true },
    dbmate: {
      command: tool('dbmate'),
      args: ['-d', join(folder, 'dbmate'), '--no-dump-schema', 'up'],
      env: { DATABASE_URL: withoutTls(url) },
      again: true,
    },
    'node-pg-migrate': { command: tool('node-pg-migrate'), args: npm, env: { DATABASE_URL: url }, again: true },
  }
  all['bare Node loop'] = { command: process.execPath, args: [join(folder, 'bare.mjs'), url], again: true }
  if (spawnSync('psql', ['--version']).status === 0) {
    const args = ['-q', '-X', '-v', 'ON_ERROR_STOP=1', '-f', join(folder, 'session.sql'), url]
    all['psql, one session'] = { command: 'psql', args, again: false }
  } else console.log('psql is not installed, so there is no limit to compare with')
  return all
}

/** The Go driver of dbmate asks for TLS unless it is told not to. */
function withoutTls(url) {
  return url.includes('sslmode=') ? url : `${url}${url.includes('?') ? '&' : '?'}sslmode=disable`
}

function time({ command, args, env = {} }) {
  const started = performance.now()
  const child = spawnSync(command, args, {
    cwd: folder,
    env: { ...environment, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (child.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${child.stderr}${child.stdout}`)
  return performance.now() - started
}

async function wipe(sql) {
  await sql`drop schema if exists obs cascade`
  const tables = await sql`select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`
  for (let i = 0; i < tables.length; i += 50) {
    await sql.unsafe(`drop table ${tables.slice(i, i + 50).map((table) => `public."${table.relname}"`)} cascade`)
  }
  await sql`vacuum pg_class, pg_attribute, pg_index, pg_depend, pg_description, pg_type, pg_constraint`.catch(() => {})
  await sql`checkpoint`.catch(() => {})
}

/** What the hashes of one large table cost, against reading that table from end to end. */
async function preservation(sql) {
  const rows = Number(flags.rows)
  await wipe(sql)
  const pack = join(folder, 'preserve')
  mkdirSync(pack)
  writeFileSync(
    join(pack, '1_events.up.sql'),
    `create table events (id bigint primary key, trace_id uuid not null, agent varchar(128) not null, at timestamptz not null,
       latency_ms integer not null, cost numeric(10,6), status varchar(20), input text, metadata jsonb);
     insert into events select i, gen_random_uuid(), 'agent-' || i % 90, timestamptz '2026-01-01' + i * interval '7 s', i % 9000,
       (i % 1000) / 1000.0, 'success', repeat(md5(i::text), 3), jsonb_build_object('n', i) from generate_series(1, ${rows}) i;
     analyze events;`,
  )
  writeFileSync(join(pack, '2_note.up.sql'), 'alter table events add column note text;')
  writeFileSync(
    join(folder, 'preserve.json'),
    JSON.stringify({ packs: [{ name: 'preserve', migrations: './preserve', schema: 'public' }] }),
  )
  const up = (...more) => ({
    command: process.execPath,
    args: [executable, 'migrate', 'up', '--config', 'preserve.json', '--backup', 'none', '--json', ...more],
  })
  time(up('--to', '1'))
  await sql`vacuum (freeze, analyze) events`
  const scans = []
  const runs = { hashes: [], counts: [], off: [] }
  const columns = await sql`select attname from pg_attribute where attrelid = 'events'::regclass and attnum > 0`
  const everyColumn = columns.map(({ attname }) => `count("${attname}"::text)`).join(', ')
  const texts = []
  for (let round = 0; round < rounds; round++) {
    await sql`set max_parallel_workers_per_gather = 0`
    scans.push(await clock(() => sql`select count(events) from events`))
    texts.push(await clock(() => sql.unsafe(`select ${everyColumn} from events`)))
    for (const mode of Object.keys(runs)) {
      const child = spawnSync(process.execPath, up('--preserve', mode).args, { cwd: folder, env: environment })
      if (child.status !== 0) throw new Error(String(child.stderr))
      runs[mode].push(JSON.parse(child.stdout).applied[0].duration_ms)
      await sql`alter table events drop column note`
      await sql`delete from obs.migration_history where version = 2`
    }
  }
  const scan = median(scans)
  const cost = median(runs.hashes) - median(runs.off)
  return [
    [`preservation of ${rows.toLocaleString('en-US')} rows, 9 columns`, 'time', '÷ one scan', ''],
    ['one sequential scan of whole rows', seconds(scan), '1.00×', ''],
    ['one scan with every value as text', seconds(median(texts)), `${(median(texts) / scan).toFixed(2)}×`, ''],
    ['hashes before and after', seconds(cost), `${(cost / scan).toFixed(2)}×`, 'goal ≤ 1.5×'],
    ['counts before and after', seconds(median(runs.counts) - median(runs.off)), '', ''],
  ]
}

async function clock(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function must(command, args, cwd, env = environment) {
  const child = spawnSync(command, args, { cwd, env, encoding: 'utf8' })
  if (child.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${child.stderr}`)
  return child.stdout
}

function print([head, ...rows]) {
  const columns = head.map((title, i) => (i === 0 ? { title } : { title, align: 'right' }))
  console.log(`${renderTable(columns, rows)}\n`)
}

function seconds(ms) {
  return Number.isNaN(ms) ? '' : `${(ms / 1000).toFixed(2)} s`
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
