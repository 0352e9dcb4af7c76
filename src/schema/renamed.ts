import type { CatalogObject } from '../database/catalog.js'
import { type Finding, objectOf } from './finding.js'

/**
 * Makes one finding of two when an index, a constraint or a trigger is missing and the
 * same table has another one that differs by nothing but its name.
 */
export function mergeRenamed(findings: readonly Finding[]): readonly Finding[] {
  const extras = new Map<string, Finding[]>()
  for (const finding of findings) {
    const key = finding.change === 'extra' ? nameless(objectOf(finding)) : undefined
    if (key !== undefined) extras.set(key, [...(extras.get(key) ?? []), finding])
  }
  const taken = new Set<Finding>()
  const merged = findings.map((finding) => {
    const key = finding.change === 'missing' ? nameless(objectOf(finding)) : undefined
    const twin = key === undefined ? undefined : extras.get(key)?.find((extra) => !taken.has(extra))
    if (!twin) return finding
    taken.add(twin)
    return { ...finding, change: 'renamed' as const, actual: twin.actual, differs: ['name'], includes: [] }
  })
  return merged.filter((finding) => !taken.has(finding))
}

/** All that matters about an object except its name; undefined for kinds whose name is all that tells them apart. */
function nameless(object: CatalogObject): string | undefined {
  const strip = namesIn[object.kind]
  if (!strip || object.owner === null) return undefined
  const facts = Object.entries(object.facts).map(([name, text]) => [name, strip(text)])
  return JSON.stringify([object.kind, object.detail, object.owner, facts])
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[^\s"]+)`

const namesIn: Readonly<Partial<Record<CatalogObject['kind'], (text: string) => string>>> = {
  index: (text) => text.replace(new RegExp(`^(CREATE (?:UNIQUE )?INDEX) ${identifier} ON `), '$1 ON '),
  constraint: (text) => text,
  trigger: (text) => text.replace(new RegExp(`^(CREATE (?:CONSTRAINT )?TRIGGER) ${identifier} `), '$1 '),
}
