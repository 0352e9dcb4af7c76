import { basename } from 'node:path'
import type { Direction } from '../migration.js'
import { type Directives, headerLength, type Problem } from './directives.js'
import { locate } from './location.js'

/** One direction of a file that holds both. */
export interface Section {
  readonly direction: Direction
  /**
   * The text of the section. Above that of a down stand as many empty lines as in the
   * file, so that places in it are places in the file.
   */
  readonly text: string
  readonly noTransaction: boolean
}

export interface SingleFile {
  readonly sections: readonly Section[]
  readonly problems: readonly Problem[]
}

/**
 * Reads a file in the form of dbmate or of goose, where comments say what is the up and
 * what the down; undefined when it has no such comments.
 *
 * A down without a statement is no down, because both tools write an empty one into
 * every new file.
 *
 * https://github.com/amacneil/dbmate#creating-migrations
 * https://pressly.github.io/goose/documentation/annotations/
 */
export function readSingleFile(file: string, text: string): SingleFile | undefined {
  const tool = toolOf(text)
  if (!tool) return undefined
  const marks = marksOf(text, tool)
  const problems = [...tool.complaints(marks), ...complaintsAboutOrder(file, text, marks)].map(
    ({ index, message }) => ({
      message,
      location: locate(file, text, index),
    }),
  )
  const up = marks.find((mark) => mark.word === 'up')
  const down = marks.find((mark) => mark.word === 'down')
  if (!up || problems.length > 0) return { sections: [], problems }
  const sections: Section[] = [
    { direction: 'up', text: text.slice(0, down?.index), noTransaction: tool.noTransaction(up, marks) },
  ]
  const below = down && text.slice(down.index)
  if (below && headerLength(below) < below.length) {
    const above = text.slice(0, down.index).replace(/[^\r\n]+/g, '')
    sections.push({ direction: 'down', text: above + below, noTransaction: tool.noTransaction(down, marks) })
  }
  return { sections, problems: [] }
}

/** What the directives of obs and the marks of the other tool say together. */
export function withSection(directives: Directives, { noTransaction }: Section): Directives {
  return { ...directives, noTransaction: directives.noTransaction || noTransaction }
}

/** A comment that another tool obeys. */
interface Mark {
  /** In lower case: `up`, `statementbegin`, `no transaction`. */
  readonly word: string
  /** What stands after it. */
  readonly rest: string
  readonly index: number
}

interface Tool {
  readonly line: RegExp
  /** How it writes its marks, for messages. */
  readonly mark: (word: string) => string
  readonly noTransaction: (section: Mark, marks: readonly Mark[]) => boolean
  readonly complaints: (marks: readonly Mark[]) => readonly { readonly index: number; readonly message: string }[]
}

const dbmate: Tool = {
  line: /^--[ \t]*migrate:(up|down)(?:[ \t]+(.*?))?[ \t]*$/,
  mark: (word) => `-- migrate:${word}`,
  noTransaction: ({ rest }) => rest.split(/\s+/).includes('transaction:false'),
  complaints: (marks) =>
    marks
      .filter(({ rest }) => !/^(transaction:(true|false))?$/.test(rest))
      .map(({ index, rest }) => ({
        index,
        message: `${JSON.stringify(rest)} is no option of -- migrate that obs knows`,
      })),
}

const gooseWords = ['up', 'down', 'statementbegin', 'statementend', 'no transaction', 'envsub off', 'envsub on']

const goose: Tool = {
  line: /^--[ \t]*\+goose[ \t]+(\S.*?)()[ \t]*$/i,
  mark: (word) => `-- +goose ${word.replace(/^./, (letter) => letter.toUpperCase())}`,
  noTransaction: (_section, marks) => marks.some(({ word }) => word === 'no transaction'),
  complaints: (marks) =>
    marks.flatMap(({ word, index }) => {
      if (word === 'envsub on') return [{ index, message: 'obs fills in no environment variables; write the values' }]
      return gooseWords.includes(word)
        ? []
        : [{ index, message: `obs knows no annotation of goose ${JSON.stringify(word)}` }]
    }),
}

const tools = [dbmate, goose].map((tool) => ({ tool, anywhere: new RegExp(tool.line, `${tool.line.flags}m`) }))

function toolOf(text: string): Tool | undefined {
  return tools.find(({ anywhere }) => anywhere.test(text))?.tool
}

/** True when a text says where its down begins, which the file of one direction does not. */
export function holdsBothDirections(text: string): boolean {
  const tool = toolOf(text)
  return tool !== undefined && marksOf(text, tool).some(({ word }) => word === 'down')
}

function marksOf(text: string, { line }: Tool): readonly Mark[] {
  const marks: Mark[] = []
  for (let index = 0; index < text.length; ) {
    const newline = text.indexOf('\n', index)
    const end = newline < 0 ? text.length : newline
    const found = text[index] === '-' ? line.exec(text.slice(index, end).replace(/\r$/, '')) : undefined
    if (found) marks.push({ word: (found[1] ?? '').toLowerCase().replace(/\s+/g, ' '), rest: found[2] ?? '', index })
    index = end + 1
  }
  return marks
}

function complaintsAboutOrder(
  file: string,
  text: string,
  marks: readonly Mark[],
): readonly { readonly index: number; readonly message: string }[] {
  const tool = toolOf(text) ?? dbmate
  const ups = marks.filter((mark) => mark.word === 'up')
  const downs = marks.filter((mark) => mark.word === 'down')
  const [up] = ups
  const [down] = downs
  if (!up) return [{ index: marks[0]?.index ?? 0, message: `${basename(file)} has no ${tool.mark('up')}` }]
  const again = [...ups.slice(1), ...downs.slice(1)]
  const header = headerLength(text)
  return [
    ...again.map(({ index, word }) => ({ index, message: `${tool.mark(word)} stands in this file twice` })),
    ...(down && down.index < up.index
      ? [{ index: down.index, message: `${tool.mark('up')} goes above ${tool.mark('down')}` }]
      : []),
    ...(header < up.index
      ? [{ index: header, message: `this stands above ${tool.mark('up')}, so it belongs to no direction` }]
      : []),
  ]
}
