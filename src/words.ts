import { UsageError } from './errors.js'

/**
 * Takes a command line apart into a program and its arguments, without a shell.
 *
 * Blanks separate words; quotes of either kind keep blanks; a backslash, outside single quotes, keeps the
 * next character. Nothing else is special: no variables, patterns, pipes or redirections.
 *
 * @throws UsageError naming `source` when it is empty or a quote is not closed.
 */
export function splitWords(text: string, source: string): readonly string[] {
  const words = [...text.matchAll(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+|\S+/gs)].map(([word]) => word)
  if (words.length === 0) throw new UsageError(`${source} is an empty command`, { code: 'invalid_command' })
  return words.map((word) => unquote(word, source))
}

function unquote(word: string, source: string): string {
  return word.replace(/\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"|(['"\\])/gs, (_, escaped, single, double, open) => {
    if (open !== undefined) {
      throw new UsageError(`${source} has a ${open} that is not closed`, {
        code: 'invalid_command',
        hint: 'Write it as an array of words in the configuration file when quoting gets in the way.',
      })
    }
    return escaped ?? single ?? double.replace(/\\(.)/gs, '$1')
  })
}
