import type { Style } from '../../terminal/style.js'
import { chooseFormat } from '../choose-format.js'
import { githubReport } from './github.js'
import { lintJson } from './json.js'
import type { LintReport } from './report.js'
import { sarifReport } from './sarif.js'
import { lintText } from './text.js'

/** A form that a report of lint can take. */
export interface LintFormat {
  readonly name: string
  /** The report as text, without a line break at its end. */
  render(report: LintReport, style: Style): string
}

/** Every format, by the name that --format takes. */
export const lintFormats: readonly LintFormat[] = [
  { name: 'table', render: lintText },
  { name: 'json', render: (report) => JSON.stringify(lintJson(report), null, 2) },
  { name: 'sarif', render: sarifReport },
  { name: 'github', render: githubReport },
]

/**
 * The format called `name`.
 *
 * @throws UsageError naming the format that was most likely meant.
 */
export function lintFormat(name: string): LintFormat {
  return chooseFormat(lintFormats, name)
}
