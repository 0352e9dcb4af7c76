import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'

/**
 * The format called `name`.
 *
 * @throws UsageError naming the format that was most likely meant.
 */
export function chooseFormat<Format extends { readonly name: string }>(
  formats: readonly Format[],
  name: string,
): Format {
  const format = formats.find((candidate) => candidate.name === name)
  if (format) return format
  const names = formats.map((candidate) => candidate.name)
  const guess = nearest(name, names)
  throw new UsageError(
    `unknown format ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_format',
      hint: `Choose one of ${names.join(', ')} with --format.`,
      details: { format: name, formats: names },
    },
  )
}
