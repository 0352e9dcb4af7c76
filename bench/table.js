import Table from 'cli-table3'

/** A table with aligned columns for the figures of a benchmark. */
export function renderTable(columns, rows) {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align = 'left' }) => align),
    style: { head: [], border: [] },
  })
  table.push(...rows)
  return table.toString()
}
