import { Command } from 'commander'
import { exitCodes } from '../../errors.js'
import { formatCount, formatDuration } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { startOfDay, wholeDays } from '../days.js'
import { action } from '../invocation.js'
import { renderKpi } from '../render-kpi.js'
import { type DemoResult, runDemo } from './run-demo.js'

interface DemoFlags {
  readonly days: number
}

export function demoCommand(): Command {
  return new Command('demo')
    .description('everything once, on the embedded server')
    .option('--days <n>', 'how many days of traces to generate', wholeDays, 90)
    .addHelpText('after', examples)
    .action(
      action<DemoFlags, []>(async (invocation) => {
        const { options, settings, context, style, terminal } = invocation
        if (settings.target.kind === 'server') {
          context.progress.warn(`the demo works on the embedded server, not on ${settings.target.address.source}`)
        }
        const result = await runDemo(settings, { days: options.days, asOf: startOfDay(new Date()) }, context)
        const { kpis, ...json } = result
        invocation.answer({ json, text: story(result, style, terminal.width) })
        if (result.validation.failed > 0) process.exitCode = exitCodes.failed
      }),
    )
}

const examples = `
Examples:
  $ obs demo                 an MVP database, migrated, seeded with 90 days, validated and queried
  $ obs demo --days 7        the same with a week of traces
  $ obs demo --json          the result as one JSON document

The demo works in the embedded server's own database and replaces only what an earlier
demo made; it refuses to touch anything else. The server goes on running: obs db stop.`

function story(result: DemoResult, style: Style, width: number): string {
  return [
    renderKpi(result.kpis, style, width),
    '',
    style.strong('What happened'),
    ...facts(result, style).flatMap(([name, fact]) => hanging(`  ${name.padEnd(11)}`, fact, width)),
    '',
    style.strong('Try next'),
    ...next.map(([command, why]) => `  ${style.accent(command.padEnd(57))} ${style.faint(why)}`),
  ].join('\n')
}

/** A text behind its label, broken between words; a word that is too long for a line (a path) is left whole. */
function hanging(label: string, text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && label.length + line.length + word.length >= width) {
      lines.push(line)
      line = word
    } else {
      line = line ? `${line} ${word}` : word
    }
  }
  return [...lines, line].map((part, i) => (i === 0 ? label : ' '.repeat(label.length)) + part)
}

const next = [
  ['obs query cost-by-department --range 30d', 'who spends what'],
  ['obs query home-kpis --range 30d --department engineering', 'one department'],
  ['obs migrate status', 'what was applied, and when'],
] as const

function facts(result: DemoResult, style: Style): readonly (readonly [string, string])[] {
  const { preserved, traces, agents, departments, incidents, validation, backup, report, server, steps } = result
  const total = steps.reduce((sum, step) => sum + step.duration_ms, 0)
  const checks = `${validation.passed} checks passed, ${validation.failed} failed, ${validation.warned} warned, ${validation.skipped} skipped`
  return [
    ['preserved', style.good(`the ${formatCount(preserved.rows)} traces of the MVP, every value identical`)],
    ['generated', `${formatCount(traces - preserved.rows)} traces of ${agents} agents in ${departments} departments`],
    ...incidents.map((incident, i) => [i === 0 ? 'incidents' : '', incident.summary] as const),
    ['validation', validation.failed === 0 ? style.good(checks) : style.bad(checks)],
    ['backup', `${backup.path} (${backup.engine}, checked)`],
    ['report', report],
    ['server', `${server} (obs db url for the password, obs db stop to end it)`],
    ['time', formatDuration(total)],
  ]
}
