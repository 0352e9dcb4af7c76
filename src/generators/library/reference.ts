import { z } from 'zod'
import type { Generator } from './generator.js'
import { generators } from './registry.js'

/** The reference of all generators in Markdown, made from what they say of themselves. */
export function renderReference(): string {
  return [intro, ...generators.map(renderGenerator)].join('\n\n').concat('\n')
}

const intro = `# Generators

<!-- Written by scripts/generators-reference.js from the generators themselves. -->

A column of a plan names its generator and the options of it; [Seeding tables of your own](seeding.md#tables-of-your-own)
shows how a plan is put together. Every generator also takes \`nulls\`, the share of rows that have no value (0 to 1,
0 by default). A value is a function of the seed, the table, the column and the number of the row, and of nothing else.`

function renderGenerator({ name, summary, fills, options, example }: Generator): string {
  const rows = optionRows(options)
  return [
    `## ${name}`,
    '',
    summary,
    '',
    `Fills ${listed(fills)}.`,
    '',
    ...(rows.length > 0 ? ['| option | default | meaning |', '| --- | --- | --- |', ...rows, ''] : []),
    '```ts',
    `{ ${[`generator: '${name}'`, ...Object.entries(example).map(([key, value]) => `${key}: ${written(value)}`)].join(', ')} }`,
    '```',
  ].join('\n')
}

function listed(fills: readonly string[]): string {
  if (fills.includes('other')) return 'columns of any type'
  return `columns of the kinds ${fills.join(', ')}`
}

function optionRows(options: z.ZodType): readonly string[] {
  if (!(options instanceof z.ZodObject)) return []
  return Object.entries(options.shape as Readonly<Record<string, z.ZodType>>).map(([name, schema]) => {
    const isOptional = schema.safeParse(undefined).success
    const fallback =
      schema instanceof z.ZodDefault
        ? `\`${JSON.stringify(schema.parse(undefined))}\``
        : isOptional
          ? ''
          : 'has to be given'
    return `| \`${name}\` | ${fallback} | ${(schema.description ?? '').replaceAll('|', '\\|')} |`
  })
}

function written(value: unknown): string {
  if (typeof value === 'function') return '(row) => Number(row.quantity) * Number(row.unit_price)'
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\')}'`
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  return `{ ${Object.entries(value)
    .map(([key, member]) => `${/^\w+$/.test(key) ? key : `'${key}'`}: ${written(member)}`)
    .join(', ')} }`
}
