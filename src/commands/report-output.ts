import { resolve } from 'node:path'
import { UsageError } from '../errors.js'
import { refuseFolder, writeReport } from '../reports/write-report.js'
import { createStyle, type Style } from '../terminal/style.js'
import type { Invocation } from './invocation.js'

/** A form that a report of type `R` can take. */
interface Format<R> {
  readonly name: string
  render(report: R, style: Style): string
}

/** The flags that say where a report goes, and in which form. */
export interface ReportFlags<R> {
  readonly format?: Format<R>
  readonly output?: string
}

interface ReportFile<R> {
  readonly path: string
  readonly format: Format<R>
}

/**
 * The file to write, if any; stdout carries only one document, so --json leaves no room there for another form.
 *
 * @param formatCalled finds one of the forms of this report by its name.
 */
export async function chooseOutput<R>(
  { format, output, json }: Invocation<ReportFlags<R>>['options'],
  formatCalled: (name: string) => Format<R>,
): Promise<ReportFile<R> | undefined> {
  if (output !== undefined) {
    const path = resolve(output)
    await refuseFolder(path)
    return { path, format: format ?? formatCalled(json ? 'json' : 'table') }
  }
  if (!json || format === undefined || format.name === 'json') return undefined
  throw new UsageError(`--json and --format ${format.name} both want stdout`, {
    code: 'two_formats',
    hint: `Add --output <file> for the ${format.name} report, or leave one of them out.`,
    details: { format: format.name },
  })
}

const plain = createStyle(false)

/** A report that is ready to be written and shown. */
interface Answer<R> {
  readonly report: R
  readonly json: unknown
  /** What `chooseOutput` chose. */
  readonly output: ReportFile<R> | undefined
  readonly formatCalled: (name: string) => Format<R>
}

/** Writes the report to its file, if there is one, and answers with it. */
export async function answerReport<R>(
  { answer, options, style }: Invocation<ReportFlags<R>>,
  { report, json, output, formatCalled }: Answer<R>,
): Promise<void> {
  if (output) await writeReport(output.path, output.format.render(report, plain))
  const shown = output ? formatCalled('table') : (options.format ?? formatCalled('table'))
  const text = shown.render(report, style)
  answer({ json, text: output ? `Report written to ${output.path}\n\n${text}` : text })
}
