import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Finding, ok } from './finding.js'

/** Nobody needs Docker to use obs; its tests run TimescaleDB in it. */
export async function examineDocker(): Promise<Finding> {
  const version = await serverVersion()
  const observed = version
    ? `Docker ${version} answers`
    : 'no Docker engine answers: tests against TimescaleDB are left out'
  return ok('docker', observed)
}

async function serverVersion(): Promise<string | undefined> {
  try {
    const options = { timeout: 5000 }
    const { stdout } = await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], options)
    return stdout.trim() || undefined
  } catch {
    return undefined
  }
}
