import type { ObsConfig } from './config-file.js'

export type { ObsConfig } from './config-file.js'

/**
 * Gives an editor the types of `obs.config.ts`, and returns the configuration as it is.
 *
 * ```ts
 * import { defineConfig } from 'obs/config'
 *
 * export default defineConfig({ packs: [{ name: 'shop', migrations: './migrations' }] })
 * ```
 */
export function defineConfig(config: ObsConfig): ObsConfig {
  return config
}
