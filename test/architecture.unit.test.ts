import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const source = fileURLToPath(new URL('../src', import.meta.url))

/** What each folder may import besides itself and the files directly in src/. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  commands: ['migrator', 'backup', 'schema', 'generators', 'validators', 'queries', 'database', 'reports', 'terminal'],
  migrator: ['database'],
  backup: ['database'],
  schema: ['database'],
  generators: ['database'],
  validators: ['database'],
  queries: ['database'],
  database: [],
  reports: ['migrator', 'validators', 'queries', 'schema', 'terminal'],
  terminal: [],
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const files = readdirTypeScript()
const imports = files.flatMap(importsOf)

describe('the layers', () => {
  it('import downward only', () => {
    const upward = imports.filter(({ from, to }) => !mayImport(folderOf(from), folderOf(to)))
    expect(upward.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('let reports know no more of engines than the types of their results', () => {
    const values = imports.filter(
      ({ from, to, typeOnly }) =>
        folderOf(from) === 'reports' && !['reports', 'terminal', ''].includes(folderOf(to)) && !typeOnly,
    )
    expect(values).toEqual([])
  })

  it('keep engines from naming a pack', () => {
    const engines = files.filter((file) => /^(generators|validators|queries)\/[^/]+$/.test(file))
    const naming = imports.filter(({ from, to }) => engines.includes(from) && to.includes('/observability/'))
    expect(naming.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('print from commands, terminal and reports alone', () => {
    const printing = files.filter(
      (file) =>
        !['commands', 'terminal', 'reports'].includes(folderOf(file)) &&
        file !== 'cli.ts' &&
        /console\.\w+\(|process\.(stdout|stderr)\.write/.test(readFileSync(join(source, file), 'utf8')),
    )
    expect(printing).toEqual([])
  })
})

function mayImport(from: string, to: string): boolean {
  return from === '' || to === '' || from === to || (allowed[from] ?? []).includes(to)
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), 'utf8')
  const found = text.matchAll(/^(?:import|export)(\s+type)?[^'"]*?from '(\.[^']+)'/gm)
  return [...found].map(([, type, path = '']) => ({
    from: file,
    to: normalize(join(dirname(file), path)),
    typeOnly: type !== undefined,
  }))
}

/** The first folder below src/, empty for a file directly in it. */
function folderOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : ''
}

function readdirTypeScript(): string[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
}
