import { resolve } from 'node:path'
import { exitCodes, UsageError } from '../../errors.js'
import { type GapReport, markdownGap, renderGap } from '../../reports/gap.js'
import { refuseFolder, writeReport } from '../../reports/write-report.js'
import { type Gap, severities } from '../../schema/gap.js'
import { createStyle } from '../../terminal/style.js'
import type { Invocation } from '../invocation.js'
import type { CompareFlags } from './flags.js'

/** Checks what can be checked about the report before any work is done for it. */
export async function checkReport({ format, output, json }: Invocation<CompareFlags>['options']): Promise<void> {
  if (output !== undefined) return refuseFolder(resolve(output))
  if (!json || format === undefined || format === 'json') return
  throw new UsageError(`--json and --format ${format} both want stdout`, {
    code: 'two_formats',
    hint: `Add --output <file> for the ${format} report, or leave one of them out.`,
    details: { format },
  })
}

/** Answers with a comparison, writes it to a file where that was asked for, and sets the exit code. */
export async function answerGap(
  { options, answer, style }: Invocation<CompareFlags>,
  report: GapReport,
  json: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { format, output } = options
  const document = { ...json, ...gapJson(report.gap) }
  const draw = (name: CompareFlags['format'], color: boolean) => {
    if (name === 'json') return JSON.stringify(document, null, 2)
    return name === 'markdown' ? markdownGap(report) : renderGap(report, color ? style : createStyle(false))
  }
  if (output !== undefined) await writeReport(resolve(output), draw(format ?? (options.json ? 'json' : 'table'), false))
  const text =
    output === undefined ? draw(format, true) : `Report written to ${resolve(output)}\n\n${draw('table', true)}`
  answer({ json: document, text })
  if (report.gap.items.length > 0) process.exitCode = exitCodes.failed
}

function gapJson({ items, dataPartitions, compared }: Gap) {
  const count = (severity: string) => items.filter((item) => item.severity === severity).length
  return {
    same: items.length === 0,
    summary: {
      differences: items.length,
      ...Object.fromEntries(severities.map((severity) => [severity, count(severity)])),
      compared,
      data_partitions: dataPartitions,
    },
    items,
  }
}
