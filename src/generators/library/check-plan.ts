import type { SampleTable } from '../samples/model.js'
import { checkColumn, guessed, type Problem, parseColumn, type SeedSpec, type TableSpec } from './spec.js'

/** What of a plan does not fit the tables of the database, as far as their catalog says. */
export function checkAgainstCatalog(
  { tables }: Pick<SeedSpec, 'tables'>,
  catalog: ReadonlyMap<string, SampleTable>,
): readonly Problem[] {
  return Object.entries(tables).flatMap(([name, spec]) => {
    const table = catalog.get(name)
    if (!table)
      return [{ path: ['tables', name], message: `is not a table of the schema${guessed(name, catalog.keys())}` }]
    if (table.obstacle) return [{ path: ['tables', name], message: `cannot be filled: ${table.obstacle}` }]
    return [...unknownColumns(name, spec, table), ...missingColumns(name, spec, table)]
  })
}

function unknownColumns(name: string, spec: TableSpec, table: SampleTable): readonly Problem[] {
  const known = table.columns.map((column) => column.name)
  const mentioned = [
    ...Object.keys(spec.columns).map((column) => ({ column, path: ['tables', name, 'columns', column] })),
    ...(spec.unique ?? []).flat().map((column) => ({ column, path: ['tables', name, 'unique'] })),
    ...(spec.time === undefined ? [] : [{ column: spec.time, path: ['tables', name, 'time'] }]),
  ]
  return mentioned.flatMap(({ column, path }) => {
    if (table.generated.includes(column))
      return [{ path, message: `${column} is computed by the server and cannot be filled` }]
    return known.includes(column) ? [] : [{ path, message: `${name} has no column ${column}${guessed(column, known)}` }]
  })
}

function missingColumns(name: string, spec: TableSpec, table: SampleTable): readonly Problem[] {
  return table.columns.flatMap(({ name: column, notNull, hasDefault, source, typeName }) => {
    const path = ['tables', name, 'columns', column]
    const given = spec.columns[column]
    if (!given) {
      const isLeftToServer = !notNull || hasDefault || source !== 'given'
      return isLeftToServer ? [] : [{ path, message: `has to be given: it is ${typeName} NOT NULL and has no default` }]
    }
    if (checkColumn(given).length > 0) return []
    const { nulls, generator } = parseColumn(given)
    const isNull = nulls > 0 || generator.name === 'null'
    return notNull && isNull ? [{ path, message: 'is NOT NULL and would be given nulls' }] : []
  })
}
