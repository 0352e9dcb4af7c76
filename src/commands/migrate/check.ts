import { join, relative } from 'node:path'
import { Command, Option } from 'commander'
import { exitCodes, UsageError } from '../../errors.js'
import type { CheckResult } from '../../migrator/check/check.js'
import type { Finding, Severity } from '../../migrator/check/compare.js'
import { type Annotation, githubAnnotation } from '../../reports/github.js'
import { printable } from '../../terminal/printable.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { action } from '../invocation.js'

interface Options {
  readonly base: string
  readonly format: 'table' | 'json' | 'github'
}

export function migrateCheckCommand(): Command {
  return new Command('check')
    .description('find late, duplicate and edited migrations before a merge, without a database')
    .requiredOption('--base <ref>', 'what is merged into: a branch, a tag or a commit that git knows')
    .addOption(
      new Option('--format <name>', 'table, json, or github: annotations of the changed files')
        .choices(['table', 'json', 'github'])
        .default('table'),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate check --base origin/main
  $ obs migrate check --base origin/main --format github

Errors: a version below the newest of the base that the base does not have (late), one that it
has under another name (duplicate), a file of the base whose statements changed (edited; comments
and formatting do not count), one that is gone or has another name (deleted, renamed). Warnings:
a new migration without a down. Looks at the files as they are on the disk and asks git for the
others. Exit codes: 0 nothing, or warnings only; 1 an error was found; 2 no git, no repository,
or no such ref.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { options, settings, style } = invocation
        refuseTwoForms(options)
        const { checkAgainstBase } = await import('../../migrator/check/check.js')
        const result = await checkAgainstBase(settings.pack, options.base)
        invocation.answer({ json: checkJson(result), text: textOf(result, options.format, style) })
        if (!result.passed) process.exitCode = exitCodes.failed
      }),
    )
}

function refuseTwoForms({ json, format }: Options & { readonly json?: boolean }): void {
  if (!json || format !== 'github') return
  throw new UsageError('--json and --format github both want stdout', {
    code: 'two_formats',
    hint: 'Leave one of them out.',
  })
}

function textOf(result: CheckResult, format: Options['format'], style: Style): string {
  if (format === 'json') return JSON.stringify(checkJson(result), null, 2)
  if (format === 'table') return checkText(result, style)
  return [...result.findings.map((finding) => githubAnnotation(annotationOf(finding, result))), verdict(result)].join(
    '\n',
  )
}

function checkJson({ pack, folder, base, migrations, findings, passed }: CheckResult) {
  return { pack, folder, base, migrations, passed, findings }
}

function checkText(result: CheckResult, style: Style): string {
  const { findings, passed } = result
  const last = passed ? style.good(verdict(result)) : style.bad(verdict(result))
  if (findings.length === 0) return last
  const columns = [{ title: 'what' }, { title: 'where' }, { title: 'found' }]
  return [
    renderTable(
      columns,
      findings.map((finding) => row(finding, style)),
    ),
    '',
    last,
  ].join('\n')
}

function row(finding: Finding, style: Style): readonly string[] {
  const { id, severity, file, line, message, hint, change } = finding
  const sides = change ? ['- in the base, + as it is now', ...change.lines.map((text) => `  ${text}`)] : []
  const paint: Record<Severity, (text: string) => string> = {
    error: style.bad,
    warning: style.notice,
    note: style.faint,
  }
  return [
    paint[severity](`${severity} ${id}`),
    printable(`${file}:${line}`),
    [message, ...sides, hint].map(printable).join('\n'),
  ]
}

const levels: Readonly<Record<Severity, Annotation['level']>> = { error: 'error', warning: 'warning', note: 'notice' }

function annotationOf({ id, severity, file, line, message, hint }: Finding, { folder }: CheckResult): Annotation {
  const path = relative(process.cwd(), join(folder, file))
  return { level: levels[severity], file: path, line, title: `migrate check: ${id}`, message: `${message}\n${hint}` }
}

function verdict({ base, migrations, findings, passed }: CheckResult): string {
  const compared = `${migrations} migrations compared with ${base.ref} (${base.commit.slice(0, 7)})`
  const count = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length
  if (passed && count('warning') === 0) return `${compared}: fit to merge`
  const words = [count('error'), count('warning')].map(
    (n, i) => `${n} ${i === 0 ? 'error' : 'warning'}${n === 1 ? '' : 's'}`,
  )
  return `${compared}: ${words.join(', ')}`
}
