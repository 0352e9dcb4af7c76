import { type CatalogObject, keyOf } from '../database/catalog.js'
import { printedAlike } from '../database/printed-alike.js'
import { definitionOf, describeKind, groupOf } from './describe.js'
import { type Finding, objectOf } from './finding.js'
import { type Gap, type GapItem, groups } from './gap.js'
import { judge } from './impact.js'
import { leaveOutDataPartitions } from './partitions.js'
import { mergeRenamed } from './renamed.js'
import type { SchemaSnapshot } from './snapshot.js'

/** What counts when two schemas are compared. */
export interface CompareOptions {
  /**
   * Set when the reference was built from migrations: then partitions that the data made
   * are no differences. Holds the names of the partitions that the migrations themselves name.
   */
  readonly declaredPartitions?: ReadonlySet<string>
  /** Whether versions of extensions count; by default they do. */
  readonly ignoreExtensionVersions?: boolean
}

/**
 * Says what `actual` lacks, has too much and has otherwise, compared with `reference`.
 *
 * What a missing or extra object takes with it (the columns of a table, the index of a
 * constraint) is not a difference of its own: it is listed under that object. Takes time
 * in proportion to the number of objects. Pure.
 */
export function compareSchemas(reference: SchemaSnapshot, actual: SchemaSnapshot, options: CompareOptions = {}): Gap {
  const { declaredPartitions: declared } = options
  const compared = declared
    ? leaveOutDataPartitions(reference, actual, declared)
    : { reference: reference.objects, actual: actual.objects, count: 0 }
  const wanted = new Map(compared.reference.filter(isDeclared).map((object) => [matchKey(object), object]))
  const found = new Map(compared.actual.filter(isDeclared).map((object) => [matchKey(object), object]))
  const findings = [...pairs(wanted, found, options)]
  const items = mergeRenamed(fold(findings)).map(asItem)
  return { items: items.sort(inDeployOrder), dataPartitions: compared.count, compared: wanted.size }
}

/** Indexes and constraints of partitions follow from those of the table above them. */
function isDeclared({ kind, inherited }: CatalogObject): boolean {
  return !inherited || (kind !== 'index' && kind !== 'constraint')
}

/** A view in the place of a table is another object. */
function matchKey({ kind, identity }: CatalogObject): string {
  return `${kind} ${identity}`
}

function* pairs(
  wanted: ReadonlyMap<string, CatalogObject>,
  found: ReadonlyMap<string, CatalogObject>,
  options: CompareOptions,
): Iterable<Finding> {
  for (const [key, reference] of wanted) {
    const actual = found.get(key)
    if (!actual) yield { change: 'missing', reference, actual, differs: [], includes: [] }
    else {
      const differs = differingFacts(reference, actual, options)
      if (differs.length > 0) yield { change: 'different', reference, actual, differs, includes: [] }
    }
  }
  for (const [key, actual] of found) {
    if (!wanted.has(key)) yield { change: 'extra', reference: undefined, actual, differs: [], includes: [] }
  }
}

function differingFacts(reference: CatalogObject, actual: CatalogObject, options: CompareOptions): readonly string[] {
  const names = new Set([...Object.keys(reference.facts), ...Object.keys(actual.facts)])
  const ignored = reference.kind === 'extension' && options.ignoreExtensionVersions ? 'version' : undefined
  return [...names].filter(
    (name) => name !== ignored && printedAlike(reference.facts[name]) !== printedAlike(actual.facts[name]),
  )
}

/** Puts what follows from another finding under it. */
function fold(findings: readonly Finding[]): readonly Finding[] {
  const byKey = new Map<string, Finding[]>()
  for (const finding of findings) {
    const key = keyOf(objectOf(finding))
    byKey.set(key, [...(byKey.get(key) ?? []), finding])
  }
  const under = (finding: Finding) => parentOf(finding, byKey)
  const includes = new Map<Finding, CatalogObject[]>()
  for (const finding of findings) {
    let top = finding
    for (let above = under(top); above; above = under(top)) top = above
    if (top !== finding) includes.set(top, [...(includes.get(top) ?? []), objectOf(finding)])
  }
  return findings
    .filter((finding) => under(finding) === undefined)
    .map((finding) => ({ ...finding, includes: includes.get(finding) ?? [] }))
}

function parentOf(finding: Finding, byKey: ReadonlyMap<string, readonly Finding[]>): Finding | undefined {
  const object = objectOf(finding)
  const above = byKey.get(object.owner ?? '') ?? []
  return (
    above.find((parent) => parent.change === finding.change && finding.change !== 'different') ??
    above.find((parent) => parent.change === 'different' && followsFrom(object, objectOf(parent)))
  )
}

/** The index of another constraint, the sequence of another identity, the columns of another view. */
function followsFrom(object: CatalogObject, parent: CatalogObject): boolean {
  if (object.kind === 'index') return parent.kind === 'constraint'
  if (object.kind === 'sequence') return parent.kind === 'column'
  return object.kind === 'column' && parent.kind !== 'table'
}

function asItem(finding: Finding): GapItem {
  const { change, reference, actual, differs, includes } = finding
  const object = reference ?? objectOf(finding)
  return {
    group: groupOf(object),
    kind: describeKind(object),
    object: object.identity,
    change,
    ...judge(finding),
    reference: reference ? definitionOf(reference) : null,
    actual: actual ? definitionOf(actual) : null,
    differs,
    includes: includes.map((one) => ({ kind: describeKind(one), object: one.identity })).sort(byKind),
  }
}

function inDeployOrder(a: GapItem, b: GapItem): number {
  return groups.indexOf(a.group) - groups.indexOf(b.group) || order(a.object, b.object) || order(a.kind, b.kind)
}

function byKind(a: GapItem['includes'][number], b: GapItem['includes'][number]): number {
  return order(a.kind, b.kind) || order(a.object, b.object)
}

function order(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
