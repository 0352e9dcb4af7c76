import type { TableName } from '../preservation/touched-tables.js'
import type { Node } from '../statements/statements.js'
import { namesAt, nodesAt, tableOfNames, tableText, textAt } from '../statements/tree.js'
import { effect, lock } from './effect.js'
import type { EffectContext, StatementEffect } from './effects.js'
import { objectWords } from './object-words.js'

/** `drop …`; with cascade nobody knows from the text what goes with it. */
export function describeDrop(content: Node, context: EffectContext): StatementEffect {
  const type = textAt(content, 'removeType')
  const kind = `drop ${objectWords(type)}${content['concurrent'] ? ' concurrently' : ''}`
  const names = nodesAt(content, 'objects').map(nameOf)
  const described =
    drops[type]?.(kind, names, { content, context }) ?? effect(kind, { opaque: reachesTables.has(type) })
  return { ...described, opaque: described.opaque || content['behavior'] === 'DROP_CASCADE' }
}

/** Dropping these may lock or drop tables that are not named. */
const reachesTables = new Set(['OBJECT_EXTENSION', 'OBJECT_STATISTIC_EXT', 'OBJECT_PUBLICATION'])

interface About {
  readonly content: Node
  readonly context: EffectContext
}

type DescribeDrop = (kind: string, names: readonly (readonly string[])[], about: About) => StatementEffect

const drops: Readonly<Record<string, DescribeDrop>> = {
  OBJECT_TABLE: (kind, names, { context }) => {
    const tables = names.map(tableOfNames)
    const referenced = tables.flatMap((table) => context.facts?.referencedBy(table) ?? [])
    return effect(kind, {
      locks: lock('ACCESS EXCLUSIVE', ...tables, ...referenced),
      destroys: tables.map((table) => `drops the rows of ${tableText(table)}`),
    })
  },
  OBJECT_FOREIGN_TABLE: dropRelations,
  OBJECT_VIEW: dropRelations,
  OBJECT_MATVIEW: dropRelations,
  OBJECT_INDEX: (kind, names, { content, context }) => {
    const tables = names.map((name) => context.facts?.tableOf(tableOfNames(name)))
    const mode = content['concurrent'] ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE'
    return effect(kind, { locks: lock(mode, ...tables), opaque: tables.includes(undefined) })
  },
  OBJECT_TRIGGER: dropFromTable,
  OBJECT_POLICY: dropFromTable,
  OBJECT_RULE: dropFromTable,
  OBJECT_SEQUENCE: (kind, names) =>
    effect(kind, { destroys: names.map((name) => `drops the position of the sequence ${name.join('.')}`) }),
}

function dropRelations(kind: string, names: readonly (readonly string[])[]): StatementEffect {
  return effect(kind, { locks: lock('ACCESS EXCLUSIVE', ...names.map(tableOfNames)) })
}

/** The last part of the name is the object's own, the parts before it are the table's. */
function dropFromTable(kind: string, names: readonly (readonly string[])[]): StatementEffect {
  const tables: readonly TableName[] = names.map((name) => tableOfNames(name.slice(0, -1)))
  return effect(kind, { locks: lock('ACCESS EXCLUSIVE', ...tables) })
}

/** An object's name comes as `List`, `String` or `TypeName`, depending on what it is. */
function nameOf(object: Node): readonly string[] {
  const list = object['List'] as Node | undefined
  const type = object['TypeName'] as Node | undefined
  if (list) return namesAt(list, 'items')
  return type ? namesAt(type, 'names') : [textAt((object['String'] ?? {}) as Node, 'sval')]
}
