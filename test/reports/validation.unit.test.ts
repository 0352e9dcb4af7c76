import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reportFormat } from '../../src/reports/formats.js'
import { markdownReport } from '../../src/reports/markdown.js'
import { tableReport } from '../../src/reports/table.js'
import { verdictLine } from '../../src/reports/verdict.js'
import { refuseFolder, writeReport } from '../../src/reports/write-report.js'
import { createStyle } from '../../src/terminal/style.js'
import { mixed, result } from './results.js'

const plain = createStyle(false)

describe('the verdict', () => {
  it('counts the failures', () => {
    expect(verdictLine(mixed)).toBe('Failed: 2 of 5 checks failed, 1 warned, 1 skipped (1.2 s).')
  })

  it('says how many passed when none failed', () => {
    expect(verdictLine(result([{}, {}, { status: 'skipped' }]))).toBe(
      'Passed: 2 of 3 checks passed, 1 skipped (1.2 s).',
    )
  })

  it('never calls it passed when nothing was checked', () => {
    expect(verdictLine(result([{ status: 'skipped' }]))).toBe('Nothing was checked: 1 check skipped (1.2 s).')
    expect(verdictLine(result([]))).toBe('Nothing was checked: no check was selected.')
  })
})

describe('the table', () => {
  const lines = tableReport(mixed, plain).split('\n')

  it('ends with the verdict', () => {
    expect(lines.at(-1)).toBe(verdictLine(mixed))
  })

  it('shows what failed last, with what was expected and ids of rows', () => {
    const order = lines
      .map((line) => line.split(/\s+/)[0])
      .filter((word) => word && /^(passed|skipped|warned|failed)$/.test(word))
    expect(order).toEqual(['passed', 'skipped', 'warned', 'failed', 'failed'])
    expect(lines.join('\n')).toMatch(
      /failed +integrity\.orphans +2 of 10 .*\(a\|b, <\/failure>\)\n +expected: nothing is wrong/,
    )
  })

  it('lets no control character of the database reach the terminal', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f]/)
  })
})

describe('the markdown report', () => {
  const report = markdownReport(mixed)

  it('begins with the verdict and the numbers of each suite', () => {
    expect(report).toMatch(/^# Validation report\n\nFailed: 2 of 5 checks failed/)
    expect(report).toContain('| integrity | 0 | 2 | 1 | 0 |')
  })

  it('shows what failed before what passed', () => {
    expect(report.indexOf('### integrity.orphans failed')).toBeGreaterThan(0)
    expect(report.indexOf('### integrity.orphans failed')).toBeLessThan(report.indexOf('### integrity.behind warned'))
    expect(report.indexOf('### integrity.behind warned')).toBeLessThan(report.indexOf('## Suite schema'))
  })

  it('gives every check a row of six cells, whatever it says', () => {
    const rows = report
      .split('\n')
      .filter((line) => /^\| (passed|failed|warned|skipped) \| (schema|integrity|distribution)/.test(line))
    expect(rows).toHaveLength(5)
    for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(8)
  })

  it('shows markup as text', () => {
    expect(report).toContain('2 of 10 &lt;traces&gt; &amp; "more"')
    expect(report).not.toContain('</failure>')
  })
})

describe('the JSON report', () => {
  it('is the result word for word', () => {
    expect(JSON.parse(reportFormat('json').render(mixed, plain))).toEqual(mixed)
  })
})

describe('the formats', () => {
  it('suggest the one that was meant', () => {
    expect(() => reportFormat('jnuit')).toThrow(
      expect.objectContaining({ message: 'unknown format "jnuit", did you mean "junit"?', exitCode: 2 }),
    )
  })
})

describe('a report file', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'obs-report-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('appears whole in a folder that is made for it', async () => {
    const path = join(folder, 'deep/er/report.xml')
    await writeReport(path, '<a/>')
    expect(await readFile(path, 'utf8')).toBe('<a/>\n')
    expect(await readdir(join(folder, 'deep/er'))).toEqual(['report.xml'])
  })

  it('replaces an earlier one', async () => {
    const path = join(folder, 'again.md')
    await writeFile(path, 'old')
    await writeReport(path, 'new')
    expect(await readFile(path, 'utf8')).toBe('new\n')
  })

  it('is refused in place of a folder, before anything is done', async () => {
    await mkdir(join(folder, 'taken'))
    await expect(refuseFolder(join(folder, 'taken'))).rejects.toMatchObject({ code: 'output_is_folder', exitCode: 2 })
  })

  it('leaves nothing behind when it cannot be written', async () => {
    await writeFile(join(folder, 'file'), '')
    const path = join(folder, 'file', 'report.md')
    await expect(writeReport(path, 'x')).rejects.toMatchObject({ code: 'report_not_written', exitCode: 1 })
    await mkdir(join(folder, 'blocked.md', 'inside'), { recursive: true })
    await expect(writeReport(join(folder, 'blocked.md'), 'x')).rejects.toMatchObject({ code: 'report_not_written' })
    expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([])
  })
})
