type Cell = string | number | boolean | null

/**
 * A table as CSV (RFC 4180): lines end in CRLF, a cell with a comma, a quote or a line
 * break is quoted, and null is empty.
 *
 * A text that a spreadsheet would run as a formula gets a leading apostrophe, as OWASP
 * advises (https://owasp.org/www-community/attacks/CSV_Injection); numbers stay as they are.
 */
export function renderCsv(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [columns, ...rows].map((row) => `${row.map(renderCell).join(',')}\r\n`).join('')
}

function renderCell(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell !== 'string') return String(cell)
  const harmless = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
