import { describe, expect, it } from 'vitest'
import { parseDdl, rolesOf } from '../../src/backup/ddl.js'

const dump = `SET transaction_timeout = 0;
-- Name: tä; owner: somebody
CREATE TABLE public."tä" (id integer);
ALTER TABLE public."tä" OWNER TO ann;
ALTER TABLE public."tä" ADD COLUMN b integer;
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ select 'a;b' $$;
ALTER FUNCTION f() OWNER TO "B öb";
SET SESSION AUTHORIZATION 'carl';
GRANT SELECT ON TABLE public."tä" TO PUBLIC;
GRANT SELECT ON TABLE public."tä" TO dora;
RESET SESSION AUTHORIZATION;
ALTER DEFAULT PRIVILEGES FOR ROLE eve IN SCHEMA public GRANT SELECT ON TABLES TO dora;
CREATE POLICY p ON public."tä" TO fay USING (true);`

describe('parseDdl', () => {
  it('cuts a dump into statements by what PostgreSQL calls one', async () => {
    const statements = await parseDdl(dump)
    expect(statements).toHaveLength(12)
    expect(statements[4]?.sql).toBe("CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ select 'a;b' $$")
  })

  it('finds every role, and knows a policy role from an owner', async () => {
    const statements = await parseDdl(dump)
    expect(rolesOf(statements)).toEqual(['B öb', 'ann', 'carl', 'dora', 'eve', 'fay'])
    const kept = statements.filter(({ aboutRoles }) => !aboutRoles)
    expect(rolesOf(kept)).toEqual(['fay'])
    expect(kept.map(({ sql }) => sql.split('\n').at(-1))).toEqual([
      'SET transaction_timeout = 0',
      'CREATE TABLE public."tä" (id integer)',
      'ALTER TABLE public."tä" ADD COLUMN b integer',
      "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ select 'a;b' $$",
      'CREATE POLICY p ON public."tä" TO fay USING (true)',
    ])
  })

  it('takes an empty dump', async () => {
    expect(await parseDdl('-- nothing here\n')).toEqual([])
  })
})
