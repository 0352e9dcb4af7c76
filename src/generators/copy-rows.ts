/**
 * Whole rows in the text format of COPY, for values of any type in their written form.
 *
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS: a
 * backslash, tab, newline or carriage return is written with a backslash before it,
 * and the marker of NULL is `\N`, which an escaped value can never equal.
 */
export function copyRows(rows: readonly (readonly (string | null)[])[]): Buffer {
  const lines = rows.map(
    (row) => `${row.map((value) => (value === null ? '\\N' : escapeCopyText(value))).join('\t')}\n`,
  )
  return Buffer.from(lines.join(''))
}

function escapeCopyText(value: string): string {
  return value.replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? character)
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** A JavaScript array as a PostgreSQL array literal, every element quoted. */
export function arrayLiteral(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}
