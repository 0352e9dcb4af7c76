import { expect, it } from 'vitest'
import type { CatalogObject } from '../../src/database/catalog.js'
import { alignVersions } from '../../src/schema/align-versions.js'
import { compareSchemas } from '../../src/schema/compare.js'
import type { SchemaSnapshot } from '../../src/schema/snapshot.js'

/** What a server of that version says about a view called public.v. */
function view(serverVersion: number, definition: string): SchemaSnapshot {
  const object: CatalogObject = {
    kind: 'view',
    identity: 'public.v',
    schema: 'public',
    owner: null,
    detail: null,
    inherited: false,
    facts: { definition },
  }
  return { objects: [object], serverVersion }
}

/** Texts of PostgreSQL 15.20 and 18.4 for the same views. */
const same = [
  [
    ' SELECT animal.name,\n    length(animal.name) AS letters\n   FROM public.animal;',
    ' SELECT name,\n    length(name) AS letters\n   FROM public.animal;',
  ],
  [
    ' SELECT a.id,\n    ( SELECT count(*) AS count\n           FROM public.animal b\n          WHERE (b.id = a.id)) AS n\n   FROM public.animal a\n  WHERE (a.id > 1)\n  ORDER BY a.id;',
    ' SELECT id,\n    ( SELECT count(*) AS count\n           FROM public.animal b\n          WHERE (b.id = a.id)) AS n\n   FROM public.animal a\n  WHERE (id > 1)\n  ORDER BY id;',
  ],
] as const

it.each(same)('takes the two ways of writing a view on one table for one', async (old, young) => {
  const [a, b] = [view(150_020, old), view(180_004, young)]
  expect(compareSchemas(a, b).items).toHaveLength(1)
  expect(compareSchemas(a, await alignVersions(a, b)).items).toEqual([])
  expect(compareSchemas(b, await alignVersions(b, a)).items).toEqual([])
})

it.each([
  [' SELECT animal.name\n   FROM public.animal;', ' SELECT nick\n   FROM public.animal;'],
  [' SELECT animal.name\n   FROM public.animal;', ' SELECT name\n   FROM public.beast;'],
  [
    ' SELECT a.id\n   FROM (public.animal a\n     JOIN public.beast b ON (a.id = b.id));',
    ' SELECT b.id\n   FROM (public.animal a\n     JOIN public.beast b ON (a.id = b.id));',
  ],
  [' SELECT animal.*::animal AS whole\n   FROM public.animal;', ' SELECT name AS whole\n   FROM public.animal;'],
  [
    ' SELECT a.id\n   FROM public.animal a,\n    public.beast b;',
    ' SELECT b.id\n   FROM public.animal a,\n    public.beast b;',
  ],
  [
    ' SELECT a.id,\n    ( SELECT count(*) AS count\n           FROM public.animal b\n          WHERE (b.id = a.id)) AS n\n   FROM public.animal a;',
    ' SELECT id,\n    ( SELECT count(*) AS count\n           FROM public.animal b\n          WHERE (b.id = b.id)) AS n\n   FROM public.animal a;',
  ],
  ['not sql', ' SELECT name\n   FROM public.animal;'],
])('still tells views apart that answer otherwise', async (old, young) => {
  const [a, b] = [view(150_020, old), view(180_004, young)]
  expect(compareSchemas(a, await alignVersions(a, b)).items).toHaveLength(1)
})

it('compares texts as they are when both servers write them in the same way', async () => {
  const [a, b] = [view(160_004, same[0][0]), view(180_004, same[0][1])]
  expect(compareSchemas(a, await alignVersions(a, b)).items).toHaveLength(1)
})
