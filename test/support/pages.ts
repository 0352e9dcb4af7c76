import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/package.js'

/** A command that a page of the documentation shows. */
export interface ShownCommand {
  /** What a shell is given; a here-document spans several lines. */
  readonly text: string
  readonly exitCode: number
  /** Lines that the command is shown to print, errors and hints only. */
  readonly prints: readonly string[]
}

/** The pages that a person reads, README.md first, named from the root of the repository. */
export function pages(): readonly string[] {
  const inDocs = readdirSync(join(packageRoot, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...inDocs.sort().map((name) => `docs/${name}`)]
}

export function readPage(page: string): string {
  return readFileSync(join(packageRoot, page), 'utf8')
}

/**
 * The commands of a page: the lines that begin with `$ ` in fenced blocks marked `console`,
 * each with the lines that begin with `> ` after it.
 *
 * `# exits 1` at the end of a command states another exit code than 0.
 */
export function commandsOf(markdown: string): readonly ShownCommand[] {
  return consoleBlocks(markdown).flatMap((block) => block.split(/^(?=\$ )/m).flatMap(parseCommand))
}

function consoleBlocks(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
}

function parseCommand(text: string): readonly ShownCommand[] {
  const [first = '', ...rest] = text.trimEnd().split('\n')
  if (!first.startsWith('$ ')) return []
  const output = rest.findIndex((line) => line !== '>' && !line.startsWith('> '))
  const more = output < 0 ? rest : rest.slice(0, output)
  const lines = [first, ...more].map((line) => line.slice(2))
  return [
    {
      text: lines.join('\n'),
      exitCode: Number(/ # exits (\d+)$/.exec(first)?.[1] ?? 0),
      prints: output < 0 ? [] : rest.slice(output).filter((line) => /^(error|hint): /.test(line)),
    },
  ]
}

/** The targets of links that point into the repository, without their anchors. */
export function relativeLinks(markdown: string): readonly string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return targets.filter((target) => !/^([a-z]+:|#)/.test(target)).map((target) => target.replace(/#.*$/, ''))
}
