import { textChecksum } from '../../../src/migrator/checksum/checksum.js'
import { parseDirectives } from '../../../src/migrator/files/directives.js'
import { type LintOptions, lintMigrations } from '../../../src/migrator/lint/lint-migrations.js'
import type { Finding } from '../../../src/migrator/lint/rule.js'
import type { Migration, Script } from '../../../src/migrator/migration.js'

/** The tables that the migrations of these tests find. */
export const existing = `
  create table owner (id bigint primary key, name text not null);
  create table pet (
    id bigint primary key, owner_id bigint, name varchar(20), note text, n int, price numeric(10, 2),
    constraint note_present check (note is not null)
  );
  alter table pet add constraint n_present check (n is not null) not valid;
  create index pet_name on pet (name);
  create table visit (id bigint primary key, at timestamptz not null) partition by range (at);
  create materialized view totals as select n, count(*) from pet group by n;
  create type mood as enum ('calm');`

interface Files {
  readonly up: string
  readonly down?: string
}

/** Migrations from their texts, with versions from 1; a text alone is an up. */
export function migrations(...files: readonly (string | Files)[]): readonly Migration[] {
  return files.map((one, i) => {
    const { up, down } = typeof one === 'string' ? { up: one, down: undefined } : one
    const id = `000${i + 1}_step`
    return {
      version: i + 1,
      name: 'step',
      id,
      up: [script(`/pack/${id}.up.sql`, up)],
      down: down === undefined ? [] : [script(`/pack/${id}.down.sql`, down)],
      verify: [],
    }
  })
}

function script(file: string, text: string): Script {
  return { file, text, checksum: textChecksum(text), variant: null, directives: parseDirectives(file, text).directives }
}

/** What lint finds in a migration that comes after the one that makes the existing tables. */
export async function lintNext(next: string | Files, options: LintOptions = {}): Promise<readonly Finding[]> {
  const { findings } = await lintMigrations(migrations(existing, next), { versions: new Set([2]), ...options })
  return findings
}

export function ids(findings: readonly Finding[]): readonly string[] {
  return findings.map((one) => one.rule)
}
