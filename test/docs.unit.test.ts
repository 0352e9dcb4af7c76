import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../src/package.js'
import { commandsOf, pages, readPage, relativeLinks } from './support/pages.js'

/** Pages about how things are made rather than used. */
const withoutCommands = ['docs/architecture.md', 'docs/generators.md', 'docs/performance.md']

describe.each([...pages(), 'CONTRIBUTING.md', 'CHANGELOG.md'])('%s', (page) => {
  it('links to files that exist', () => {
    const broken = relativeLinks(readPage(page)).filter((link) => !existsSync(join(packageRoot, dirname(page), link)))
    expect(broken).toEqual([])
  })

  it('links to headings that exist', () => {
    const broken = anchors(readPage(page)).filter((anchor) => !headings(readPage(page)).includes(anchor))
    expect(broken).toEqual([])
  })
})

it.each(pages().filter((page) => !withoutCommands.includes(page)))('%s shows commands that are run', (page) => {
  expect(commandsOf(readPage(page))).not.toEqual([])
})

it('takes commands with their here-documents, exit codes and errors out of a page', () => {
  const page = [
    'Text.',
    '```console',
    "$ cat > a.sql <<'EOF'",
    '> select 1;',
    '>',
    '> EOF',
    '$ obs migrate up  # exits 1',
    'error: it failed',
    'at a.sql:1:1',
    '```',
    '```',
    '$ obs never',
    '```',
  ].join('\n')
  expect(commandsOf(page)).toEqual([
    { text: "cat > a.sql <<'EOF'\nselect 1;\n\nEOF", exitCode: 0, prints: [] },
    { text: 'obs migrate up  # exits 1', exitCode: 1, prints: ['error: it failed'] },
  ])
})

/** Links within a page, as `#a-heading` names them. */
function anchors(markdown: string): readonly string[] {
  return [...markdown.matchAll(/\]\(#([^)\s]+)\)/g)].map(([, anchor = '']) => anchor)
}

/** The anchors of a page's headings, made as GitHub makes them. */
function headings(markdown: string): readonly string[] {
  const titles = [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
  return titles.map((title) =>
    title
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )
}
