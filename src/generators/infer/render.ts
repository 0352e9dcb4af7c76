import type { RowsSpec } from '../library/spec.js'
import type { Inferred } from './infer.js'

export interface PlanFile {
  readonly pack: string
  readonly migrations: string
  readonly schema: string
}

/** The plan as a configuration in TypeScript, with a line on why each generator was chosen. */
export function renderConfig({ tables, left }: Inferred, { pack, migrations, schema }: PlanFile): string {
  const lines = [
    `import { defineConfig } from 'obs/config'`,
    '',
    'export default defineConfig({',
    '  packs: [',
    '    {',
    `      name: ${quoted(pack)},`,
    `      migrations: ${quoted(migrations)},`,
    `      schema: ${quoted(schema)},`,
    '      seed: {',
    '        tables: {',
    ...Object.entries(tables).flatMap(([name, { rows, note, columns }]) => [
      ...(note === undefined ? [] : [`          // ${oneLine(note)}`]),
      `          ${key(name)}: {`,
      `            rows: ${written(rows as RowsSpec & object)},`,
      '            columns: {',
      ...Object.entries(columns).flatMap(([column, { spec, reason }]) => [
        `              // ${oneLine(reason)}`,
        `              ${key(column)}: ${written(spec)},`,
      ]),
      '            },',
      '          },',
    ]),
    ...left.map(({ table, reason }) => `          // ${key(table)} is left out: ${oneLine(reason)}`),
    '        },',
    '      },',
    '    },',
    '  ],',
    '})',
  ]
  return `${lines.join('\n')}\n`
}

/** The same in JSON, which has no room for reasons. */
export function renderJsonConfig(plan: object, { pack, migrations, schema }: PlanFile): string {
  return `${JSON.stringify({ packs: [{ name: pack, migrations, schema, seed: plan }] }, null, 2)}\n`
}

function written(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{ ${members.map(([name, member]) => `${key(name)}: ${written(member)}`).join(', ')} }`
}

function key(name: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? name : quoted(name)
}

function quoted(text: string): string {
  const json = JSON.stringify(text)
  return text.includes("'") ? json : `'${json.slice(1, -1).replaceAll('\\"', '"')}'`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
