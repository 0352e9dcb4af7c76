import { describe, expect, it } from 'vitest'
import type { Sql } from '../../../src/database/connect.js'
import { testDatabase } from '../../support/database.js'
import { loaded, prepared } from './loading.js'

const shop = `
  create type order_status as enum ('open', 'paid', 'cancelled');
  create table customers (
    id bigserial primary key,
    email varchar(80) not null unique,
    name text not null,
    country char(2) not null,
    referred_by bigint references customers (id),
    created_at timestamptz not null
  );
  create table orders (
    id uuid primary key,
    customer_id bigint not null references customers (id),
    status order_status not null,
    total numeric(10, 2) not null check (total > 0),
    ordered_at timestamptz not null,
    shipped_at timestamptz check (shipped_at > ordered_at),
    details jsonb not null default '{}',
    tags text[] not null default '{}'
  );
  create table order_lines (
    order_id uuid not null references orders (id),
    line integer not null,
    product_code varchar(12) not null,
    quantity smallint not null check (quantity between 1 and 20),
    primary key (order_id, line),
    unique (order_id, product_code)
  )`

const shopPlan = {
  tables: {
    order_lines: {
      rows: { per: 'orders', mean: 2.5, min: 1, max: 6 },
      columns: {
        order_id: { generator: 'parent', column: 'id' },
        line: { generator: 'position' },
        product_code: { generator: 'pattern', pattern: 'P-[0-9]{1}' },
        quantity: { generator: 'log-normal', median: 2, sigma: 0.7, min: 1, max: 20 },
      },
    },
    orders: {
      rows: 3000,
      columns: {
        id: { generator: 'uuid' },
        customer_id: { generator: 'references', column: 'customers.id', spread: 'zipf' },
        status: { generator: 'choice', values: { paid: 80, open: 15, cancelled: 5 } },
        total: { generator: 'log-normal', median: 40, sigma: 1, min: 0.01, max: 99_999 },
        ordered_at: { generator: 'timestamps', rhythm: 'business' },
        shipped_at: { generator: 'after', time: 'ordered_at', delay: '2 days', nulls: 0.3 },
        details: {
          generator: 'json',
          fields: {
            channel: { generator: 'choice', values: ['web', 'app'] },
            coupon: { generator: 'integer', max: 9, nulls: 0.5 },
          },
        },
        tags: { generator: 'array', of: { generator: 'choice', values: ['gift', 'express', 'bulk'] }, max: 2 },
      },
    },
    customers: {
      rows: 500,
      columns: {
        email: { generator: 'template', text: 'customer{row}@example.com' },
        name: { generator: 'faker', method: 'person.fullName' },
        country: { generator: 'choice', values: { DE: 5, FR: 3, US: 2 } },
        referred_by: { generator: 'references', column: 'customers.id', nulls: 0.5 },
        created_at: { generator: 'timestamps', order: 'random' },
      },
    },
  },
}

async function digest(sql: Sql, query: string): Promise<string> {
  const [row] = await sql.unsafe<{ digest: string }[]>(
    `select md5(string_agg(r::text, ',' order by r::text)) as digest from (${query}) r`,
  )
  return row?.digest ?? ''
}

describe('a plan of three related tables', () => {
  it('is loaded parents first, and every key, foreign key and check holds', async () => {
    const { sql } = await testDatabase()
    await sql.unsafe(shop)
    const counts = await loaded(sql, shopPlan)
    expect(counts).toMatchObject({ customers: 500, orders: 3000 })
    expect(Object.keys(counts)).toEqual(['customers', 'orders', 'order_lines'])
    const [facts] = await sql.unsafe(`
      select (select count(*)::int from orders where shipped_at is null) as unshipped,
             (select count(distinct customer_id)::int from orders) as buyers,
             (select max(n)::int from (select count(*) as n from orders group by customer_id) c) as best,
             (select count(*)::float / 3000 from order_lines) as lines,
             (select min(n) from (select count(*) as n from order_lines group by order_id) c) as fewest,
             (select count(*)::int from orders where cardinality(tags) = 2) as tagged,
             (select count(*)::int from orders where details ->> 'channel' in ('web', 'app')) as channels`)
    expect(facts).toMatchObject({ fewest: 1, channels: 3000 })
    expect(facts?.['unshipped']).toBeGreaterThan(700)
    expect(facts?.['best']).toBeGreaterThan(200)
    expect(facts?.['tagged']).toBeGreaterThan(700)
    expect(facts?.['lines']).toBeGreaterThan(2.4)
  })

  it('gives the same rows for the same seed, whatever other columns and tables there are', async () => {
    const { sql } = await testDatabase()
    await sql.unsafe(shop)
    await loaded(sql, shopPlan)
    const columns = 'select id, customer_id, total, ordered_at, shipped_at from orders'
    const before = await digest(sql, columns)
    await sql.unsafe(`truncate customers, orders, order_lines; create table audits (id integer primary key, note text)`)
    await sql`select setval('customers_id_seq', 1, false)`
    const { orders, customers } = shopPlan.tables
    const reversed = Object.fromEntries(
      Object.entries(orders.columns)
        .reverse()
        .filter(([name]) => name !== 'tags'),
    )
    const audits = { rows: 10, columns: { id: { generator: 'sequence' }, note: { generator: 'words' } } }
    await loaded(sql, { tables: { audits, orders: { ...orders, columns: reversed }, customers } })
    expect(await digest(sql, columns)).toBe(before)
    await sql.unsafe(`truncate customers, orders, order_lines`)
    await sql`select setval('customers_id_seq', 1, false)`
    await loaded(sql, { tables: { orders, customers } }, { seed: 2 })
    expect(await digest(sql, columns)).not.toBe(before)
  })

  it('is refused as a whole, with every problem and its place', async () => {
    const { sql } = await testDatabase()
    await sql.unsafe(shop)
    const broken = {
      tables: {
        orders: {
          ...shopPlan.tables.orders,
          columns: {
            ...shopPlan.tables.orders.columns,
            totl: { generator: 'integer', max: 3 },
            customer_id: { generator: 'boolean', nulls: 0.5 },
          },
        },
        custmers: { rows: 1, columns: {} },
      },
    }
    await expect(prepared(sql, broken)).rejects.toMatchObject({
      problems: [
        { path: ['tables', 'orders', 'columns', 'totl'], message: 'orders has no column totl, did you mean total?' },
        { path: ['tables', 'orders', 'columns', 'customer_id'], message: 'is NOT NULL and would be given nulls' },
        { path: ['tables', 'custmers'], message: expect.stringContaining('is not a table of the schema') },
      ],
    })
  })
})
