import type { Settings } from '../../config.js'
import { UsageError } from '../../errors.js'

/**
 * Refuses to run while the settings name another server: whoever types `obs db stop`
 * then most likely means that one, which is not obs's to stop.
 */
export function requireEmbedded({ target }: Pick<Settings, 'target'>, command: string): void {
  if (target.kind === 'embedded') return
  const { source } = target.address
  throw new UsageError(`${command} concerns the embedded server only, and ${source} names another one`, {
    code: 'not_embedded',
    hint: `Run it without ${source} to work on the embedded server; nothing was changed.`,
    details: { source },
  })
}
