import type { Statement } from '../../statements/statements.js'
import { nodeAt, textAt, unwrap } from '../../statements/tree.js'
import { dropsOf, leftAfter, made, madeBy, objectText } from '../objects.js'
import type { MigrationSubject, Rule, ScriptSubject } from '../rule.js'

export const missingDown: Rule = {
  id: 'missing-down',
  severity: 'warning',
  summary: 'a migration without a down',
  why: 'It cannot be taken back: obs migrate down stops at it, and what remains is to restore a backup.',
  safer: 'Write the down, or say why there is none with -- obs: irreversible <reason>.',
  testMigration: ({ up, hasDown, migration }) =>
    up && !hasDown && !declared(up) ? [{ message: `${migration.id} has no down` }] : [],
}

export const emptyDown: Rule = {
  id: 'empty-down',
  severity: 'error',
  summary: 'a down that does nothing',
  why: 'Reverting it reports success, records the migration as reverted, and everything it made is still there; the next up fails on it.',
  safer: 'Write what undoes the up, or delete the down and say why with -- obs: irreversible <reason> in the up.',
  about: 'down',
  testMigration: ({ up, down }) => {
    if (!up || !down || up.statements.length === 0 || declared(up) || declared(down)) return []
    return down.statements.every(isIdle) ? [{ message: 'this down undoes nothing of its up' }] : []
  },
}

/** `select 1`, which some tools want where nothing is to be done. */
function isIdle({ tree }: Statement): boolean {
  const { kind, content } = unwrap(tree)
  return kind === 'SelectStmt' && content['fromClause'] === undefined && !JSON.stringify(content).includes('"FuncCall"')
}

export const downIncomplete: Rule = {
  id: 'down-incomplete',
  severity: 'warning',
  summary: 'a down that leaves something behind that its up made',
  why: 'The next up finds it in its way and fails, or goes on with something that is not what it would have made.',
  safer: 'Drop in the down, in reverse order, what the up creates.',
  about: 'down',
  testMigration: ({ up, down }) => {
    if (!up || !down || declared(up) || declared(down) || isOpaque(down) || down.statements.every(isIdle)) return []
    const left = leftAfter(madeBy(up.statements), down.statements)
    return left.length > 0 ? [{ message: `this down leaves behind ${left.map(objectText).join(', ')}` }] : []
  },
}

export const downRemovesMore: Rule = {
  id: 'down-removes-more',
  severity: 'error',
  summary: 'a down that drops a table or a column that its up did not make',
  why: 'Reverting this migration then loses data that was there before it was applied.',
  safer: 'Drop in the down what the up of the same migration creates, and nothing else.',
  about: 'down',
  testMigration: (subject) => {
    const { up, down } = subject
    if (!up || !down || isOpaque(up)) return []
    const known = new Set(everMade(subject))
    return down.statements.flatMap((statement) =>
      dropsOf(statement.tree)
        .filter((drop) => ['table', 'column'].includes(drop.type) && !known.has(objectText(drop)))
        .filter((drop) => !(drop.type === 'column' && known.has(`table ${drop.table}`)))
        .map((drop) => ({ message: `this down drops the ${objectText(drop)}, which its up did not make`, statement })),
    )
  },
}

/** What the up makes, and what the down itself makes for a while, under every name that it has. */
function everMade({ up, down }: MigrationSubject): readonly string[] {
  const statements = [...(up?.statements ?? []), ...(down?.statements ?? [])]
  const renames = statements.flatMap(({ tree }) => {
    const rename = nodeAt(tree ?? {}, 'RenameStmt')
    const table = textAt(nodeAt(rename, 'relation'), 'relname')
    const to = textAt(rename, 'newname')
    return table ? [`table ${to}`, `table ${table}`, `column ${table}.${to}`] : []
  })
  return [...statements.flatMap(made).map(objectText), ...renames]
}

function declared({ script }: ScriptSubject): boolean {
  return script.directives.irreversible !== undefined
}

/** Whether a script does things that its text does not tell. */
function isOpaque({ effects }: ScriptSubject): boolean {
  return effects.some((effect) => effect.opaque)
}
