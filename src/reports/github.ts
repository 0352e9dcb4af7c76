/** A remark on a line of a file, as GitHub shows it beside the change. */
export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice'
  /** From the root of the repository. */
  readonly file: string
  /** Both from 1. */
  readonly line: number
  readonly column?: number
  readonly title: string
  readonly message: string
}

/**
 * A workflow command that makes GitHub Actions annotate a file.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
export function githubAnnotation({ level, file, line, column, title, message }: Annotation): string {
  const properties = [
    `file=${property(file)}`,
    `line=${line}`,
    ...(column === undefined ? [] : [`col=${column}`]),
    `title=${property(title)}`,
  ]
  return `::${level} ${properties.join(',')}::${data(message)}`
}

/** Line breaks would end the command, and a percent sign begins an escape. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
