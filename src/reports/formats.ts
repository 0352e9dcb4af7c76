import type { Style } from '../terminal/style.js'
import type { ValidationResult } from '../validators/result.js'
import { chooseFormat } from './choose-format.js'
import { jsonReport } from './json.js'
import { junitReport } from './junit.js'
import { markdownReport } from './markdown.js'
import { tableReport } from './table.js'

/** A form that a validation report can take. */
export interface ReportFormat {
  readonly name: string
  /** Who reads it. */
  readonly description: string
  /** The report as text, without a line break at its end. */
  render(result: ValidationResult, style: Style): string
}

/** Every format, by the name that --format takes. */
export const reportFormats: readonly ReportFormat[] = [
  { name: 'table', description: 'columns for a person at a terminal', render: tableReport },
  { name: 'json', description: 'one JSON document for programs', render: jsonReport },
  { name: 'junit', description: 'JUnit XML for CI systems', render: junitReport },
  { name: 'markdown', description: 'a page for a pull request or a wiki', render: markdownReport },
]

/**
 * The format called `name`.
 *
 * @throws UsageError naming the format that was most likely meant.
 */
export function reportFormat(name: string): ReportFormat {
  return chooseFormat(reportFormats, name)
}
