import { basename } from 'node:path'
import type { RepairFinding } from '../../migrator/recovery/repair.js'
import type { Style } from '../../terminal/style.js'

/** The JSON form of what `obs migrate repair` found. */
export function findingsJson(findings: readonly RepairFinding[]) {
  return { half_done: findings.map(findingJson) }
}

function findingJson({ found, next, undo, goOn }: RepairFinding) {
  const { record, id, statement, statements, location, evidence } = found
  return {
    version: record.version,
    name: record.name,
    migration: id,
    direction: record.direction,
    state: record.state,
    statement: record.statement,
    statements: statements.length,
    sql: statement?.sql ?? null,
    file: location?.file ?? null,
    line: location?.line ?? null,
    evidence: evidence ?? null,
    backup_id: record.backupId,
    resume: next === undefined ? null : { at: next, command: goOn },
    undo,
  }
}

/** What is known and what can be done, for a person who has never seen this before. */
export function findingsText(findings: readonly RepairFinding[], style: Style): string {
  if (findings.length === 0) return 'nothing is half done'
  return findings.map((finding) => findingText(finding, style)).join('\n\n')
}

function findingText(finding: RepairFinding, style: Style): string {
  const { found } = finding
  const { record, id, statements, evidence } = found
  const how = record.state === 'unknown' ? 'broke off in' : 'stopped before'
  const of = statements.length > 0 ? ` of ${statements.length}` : ''
  return [
    style.bad(`${id} (${record.direction}) ${how} statement ${record.statement}${of}`),
    ...statementLines(finding),
    ...(evidence ? ['', 'the catalog says:', ...evidence.findings.map((line) => `  ${line}`)] : []),
    ...(record.backupId === null ? [] : ['', `the backup before it: ${record.backupId}`]),
    '',
    'the ways out:',
    ...choices(finding, style).flatMap(({ command, does }) => [
      `  ${style.strong(command)}`,
      ...does.map((line) => `      ${line}`),
    ]),
  ].join('\n')
}

function statementLines({ found }: RepairFinding): readonly string[] {
  const { location, statement, script, record } = found
  if (location && !record.interrupted)
    return [`  at ${basename(location.file)}:${location.line}:${location.column}`, indent(location.snippet)]
  if (statement)
    return [...(location ? [`  at ${basename(location.file)}:${location.line}`] : []), indent(statement.sql)]
  if (script?.run) return [`  a function of ${basename(script.file)}`]
  return script ? ['  all statements ran; what is left is the verification'] : ['  its file is gone']
}

interface Way {
  readonly command: string
  readonly does: readonly string[]
}

function choices(finding: RepairFinding, style: Style): readonly Way[] {
  const { version } = finding.found.record
  const repair = `obs migrate repair ${version}`
  return [
    ...resumeWays(finding, repair),
    undoWay(finding, repair, style),
    { command: `${repair} --mark applied`, does: ['changes the history only: you finished all of it by hand'] },
    { command: `${repair} --mark reverted`, does: ['changes the history only: you took all of it back by hand'] },
  ]
}

function resumeWays({ found, next, goOn }: RepairFinding, repair: string): readonly Way[] {
  const { record, evidence, statements } = found
  const cleanup = (evidence?.cleanup ?? []).map((sql) => `runs: ${sql}`)
  if (next !== undefined) {
    const rest =
      next > statements.length && statements.length > 0
        ? 'goes on after the last statement'
        : `goes on with statement ${next}`
    return [{ command: goOn, does: [...cleanup, `${rest}; the same as ${repair} --resume, and then ${goOn}`] }]
  }
  const at = record.statement
  return [
    { command: `${repair} --resume-at ${at}`, does: [`you looked: statement ${at} did not take effect; then ${goOn}`] },
    { command: `${repair} --resume-at ${at + 1}`, does: [`you looked: statement ${at} took effect; then ${goOn}`] },
  ]
}

function undoWay({ undo }: RepairFinding, repair: string, style: Style): Way {
  const command = `${repair} --undo`
  if (!undo.possible) return { command, does: [style.notice(`not possible: ${undo.reason}`)] }
  const from = undo.from === 'down file' ? ['with the statements of the down file, which all say "if exists":'] : []
  const sql = [...undo.cleanup, ...undo.sql].map((one) => `runs: ${one}`)
  return {
    command,
    does: [...from, ...sql, 'then the migration is pending again; a backup is made first when there is data'],
  }
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ')
}
