import { resolve } from 'node:path'
import { UsageError } from '../errors.js'
import { type ReportFormat, reportFormat } from '../reports/formats.js'
import { refuseFolder, writeReport } from '../reports/write-report.js'
import { createStyle, type Style } from '../terminal/style.js'
import type { ValidationResult } from '../validators/result.js'
import type { Invocation } from './invocation.js'

/** The flags that say where a report goes, and in which form. */
export interface ReportFlags {
  readonly format?: ReportFormat
  readonly output?: string
}

interface ReportFile {
  readonly path: string
  readonly format: ReportFormat
}

/** The file to write, if any; stdout carries only one document, so --json leaves no room there for another form. */
export async function chooseOutput(options: Invocation<ReportFlags>['options']): Promise<ReportFile | undefined> {
  const { format, output, json } = options
  if (output !== undefined) {
    const path = resolve(output)
    await refuseFolder(path)
    return { path, format: format ?? reportFormat(json ? 'json' : 'table') }
  }
  if (!json || format === undefined || format.name === 'json') return undefined
  throw new UsageError(`--json and --format ${format.name} both want stdout`, {
    code: 'two_formats',
    hint: `Add --output <file> for the ${format.name} report, or leave one of them out.`,
    details: { format: format.name },
  })
}

const plain = createStyle(false)

/** Writes the report to its file, if there is one, and answers with it. */
export async function answerReport(
  { answer, options, style }: Invocation<ReportFlags>,
  {
    result,
    json,
    output,
  }: { readonly result: ValidationResult; readonly json: unknown; readonly output: ReportFile | undefined },
): Promise<void> {
  if (output) await writeReport(output.path, output.format.render(result, plain))
  answer({ json, text: textFor(result, options, style, output?.path) })
}

function textFor(
  result: ValidationResult,
  { format }: ReportFlags,
  style: Style,
  writtenTo: string | undefined,
): string {
  if (writtenTo === undefined) return (format ?? reportFormat('table')).render(result, style)
  return `Report written to ${writtenTo}\n\n${reportFormat('table').render(result, style)}`
}
