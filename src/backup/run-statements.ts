import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { ObsError } from '../errors.js'
import { together } from './read-in-units.js'

/** Statements sent without waiting for the answer to the one before. */
const atATime = 50

/** Runs statements in their order; the first that the server refuses ends it. */
export async function runInOrder(
  session: Session,
  statements: readonly { readonly sql: string }[],
  { signal }: RunContext,
): Promise<void> {
  for (let from = 0; from < statements.length; from += atATime) {
    throwIfAborted(signal)
    const answers = await Promise.allSettled(
      statements.slice(from, from + atATime).map(({ sql }) => runStatement(session, sql)),
    )
    const refused = answers.find((answer) => answer.status === 'rejected')
    if (refused) throw refused.reason
  }
}

async function runStatement(session: Session, sql: string): Promise<void> {
  await session.unsafe(sql).catch((error: unknown) => {
    throw statementFailed(sql, error)
  })
}

/** A statement that takes time, and the tables it must not meet others on. */
export interface Task {
  readonly sql: string
  readonly tables: readonly string[]
  /** Alone on its tables; otherwise together with others that are not alone either. */
  readonly alone: boolean
}

/**
 * Runs statements on several sessions at once, in their order as far as their tables allow. Two that would
 * wait for each other's lock never run at the same time, so no session stands idle while there is work.
 */
export async function runAtOnce(
  sessions: readonly Session[],
  tasks: readonly Task[],
  context: RunContext,
): Promise<void> {
  const waiting = [...tasks]
  const table = new TableUse()
  let done = 0
  const available = [...sessions]
  await together(Math.min(sessions.length, tasks.length), async (isOver) => {
    const session = available.pop()
    while (session && waiting.length > 0 && !isOver()) {
      throwIfAborted(context.signal)
      const at = waiting.findIndex((task) => table.isFree(task))
      if (at === -1) {
        await table.changed()
        continue
      }
      const [task] = waiting.splice(at, 1) as [Task]
      await table.during(task, () => runStatement(session, task.sql))
      context.progress.advance(++done, tasks.length, 'statements')
    }
  })
}

/** Who is at work on which table. */
class TableUse {
  readonly #users = new Map<string, { shared: number; alone: boolean }>()
  #waiters: (() => void)[] = []

  isFree({ tables, alone }: Task): boolean {
    return tables.every((name) => {
      const users = this.#users.get(name)
      return users === undefined || (!alone && !users.alone)
    })
  }

  /** Resolves when somebody is done. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
    })
  }

  async during(task: Task, work: () => Promise<void>): Promise<void> {
    for (const name of task.tables) {
      const shared = this.#users.get(name)?.shared ?? 0
      this.#users.set(name, { shared: shared + 1, alone: task.alone })
    }
    try {
      await work()
    } finally {
      for (const name of task.tables) this.#release(name)
      const waiters = this.#waiters
      this.#waiters = []
      for (const resolve of waiters) resolve()
    }
  }

  #release(name: string): void {
    const users = this.#users.get(name)
    if (!users || users.shared === 1) this.#users.delete(name)
    else this.#users.set(name, { ...users, shared: users.shared - 1 })
  }
}

/** The connection's own errors are explained elsewhere; what the server says of a statement is said with the statement. */
function statementFailed(sql: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'PostgresError') return error
  const code = 'code' in error ? String(error.code) : ''
  if (['57P', '08', '53'].some((start) => code.startsWith(start))) return error
  const statement = sql.replace(/^(\s*--.*\n|\s+)*/, '').split('\n', 1)[0]
  return new ObsError(`the target refused a statement of the backup: ${error.message} (${statement})`, {
    code: 'restore_failed',
    hint: 'Restore into a server that has what the statement needs; the target is as it was before.',
    cause: error,
    details: { statement: sql, sqlstate: code },
  })
}
