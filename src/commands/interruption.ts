/** The abort signal of this process: aborted by the first Ctrl-C or SIGTERM. */
export const interruption = new AbortController()
