import { codeOf } from '../../errors.js'

/** What the server said about a statement that was sent with other text around it. */
class MovedError extends Error {
  readonly code: string
  readonly detail: unknown
  readonly hint: unknown
  readonly where: unknown
  readonly position: number

  constructor(error: Error, position: number) {
    super(error.message, { cause: error })
    this.code = codeOf(error)
    this.detail = Reflect.get(error, 'detail')
    this.hint = Reflect.get(error, 'hint')
    this.where = Reflect.get(error, 'where')
    this.position = position
  }
}

/**
 * Runs a statement that `head` was put in front of; an error of the server then points
 * to the place in the statement as its author wrote it. Positions count characters.
 *
 * @param before how many characters of the author's `head` takes the place of
 */
export async function asIfFrom<T>(head: string, work: () => PromiseLike<T>, before = 0): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const position = error instanceof Error ? Number(Reflect.get(error, 'position')) - [...head].length : Number.NaN
    if (error instanceof Error && position > 0) throw new MovedError(error, position + before)
    throw error
  }
}
