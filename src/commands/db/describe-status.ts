import type { ServerStatus } from '../../database/embedded/server.js'
import { formatTime } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderPairs } from '../render-pairs.js'

/** The JSON form of the server's status. */
export function statusJson(status: ServerStatus): Record<string, unknown> {
  const { state, pid, port, socket, startedAt, version, dataDirectory, log } = status
  return {
    state,
    pid,
    port,
    socket,
    version,
    started_at: startedAt?.toISOString() ?? null,
    data_directory: dataDirectory,
    log,
  }
}

/** The status as people read it. */
export function statusText(status: ServerStatus, style: Style): string {
  const { state, pid, port, socket, startedAt, version, dataDirectory, log } = status
  if (state === 'absent') return 'there is no embedded server yet; the first command that needs it makes it'
  return renderPairs([
    ['state', state === 'running' ? style.good(state) : style.notice(state)],
    ['version', version ? `PostgreSQL ${version}` : undefined],
    ['pid', pid?.toString()],
    ['address', port === null ? undefined : `127.0.0.1:${port}`],
    ['socket', socket ?? undefined],
    ['since', startedAt ? formatTime(startedAt) : undefined],
    ['data', dataDirectory],
    ['log', log],
  ])
}
