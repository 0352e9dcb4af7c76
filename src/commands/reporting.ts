import type { logFormats } from '../config-file.js'

/** How the last words of this process are written; known once the settings are, and then theirs. */
export const reporting: { logFormat: (typeof logFormats)[number] } = { logFormat: 'pretty' }
