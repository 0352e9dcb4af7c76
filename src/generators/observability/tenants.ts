import { createHash } from 'node:crypto'
import type { RunSettings } from '../pack.js'
import { Random, streamKey } from '../random.js'
import { uuidV5 } from './ids.js'
import { isProfileName, type Profile, profileCalled } from './profiles.js'

/** The workspaces that a profile fills, the one with the most traffic first. */
export function workspacesOf({ profile, workspace }: Pick<RunSettings, 'profile' | 'workspace'>): readonly string[] {
  const { tenants } = profileNamed(profile)
  return Array.from({ length: tenants?.count ?? 1 }, (_, rank) =>
    rank === 0 ? workspace : uuidV5(workspace, `tenant:${rank + 1}`),
  )
}

/**
 * The settings of each workspace of a run; those of the run itself where it fills one alone, or is one of several.
 *
 * Traffic is shared out by Zipf's law, so that a few workspaces have most of it. All of them
 * together have as much as one workspace of the profile would have with a whole fleet.
 */
export function tenantsOf(run: RunSettings): readonly RunSettings[] {
  const { tenants, fleet } = profileNamed(run.profile)
  if (!tenants || run.tenant) return [run]
  const shares = trafficShares(tenants)
  return workspacesOf(run).map((workspace, rank) => {
    const own = { ...run, workspace, tenant: { rank, of: run.runId } }
    const perAgent = mean(fleet.total) / mean(profileOf(own).fleet.total)
    return { ...own, runId: partId(run.runId, workspace), scale: run.scale * (shares[rank] ?? 0) * perAgent }
  })
}

/** The mark of the rows. */
export function markOf({ runId, tenant }: RunSettings): string {
  return tenant?.of ?? runId
}

/** The profile of a workspace: a smaller customer has fewer agents and users. */
export function profileOf({ profile: name, tenant }: Pick<RunSettings, 'profile' | 'tenant'>): Profile {
  const profile = profileNamed(name)
  const { tenants } = profile
  if (!tenants || !tenant) return profile
  const shares = trafficShares(tenants)
  const share = shares[tenant.rank] ?? 0
  const fleet = tenants.fleets.find(({ from }) => share >= from) ?? profile.fleet
  const users = Math.sqrt(share / (shares[0] ?? 1)) * profile.users.count
  const count = Math.max(tenants.fewestUsers, Math.round(users / usersStep) * usersStep)
  return { ...profile, fleet: { ...profile.fleet, ...fleet }, users: { ...profile.users, count } }
}

/** What seeds the people of a workspace: those of two workspaces of one run are others. */
export function populationSeed(seed: number, { tenant, workspace }: RunSettings): number {
  return tenant ? new Random().seat(streamKey('tenant', workspace, seed), 0).bits() : seed
}

/** The share of the traffic that each workspace has: in proportion to rank^−exponent (Zipf's law). */
export function trafficShares({ count, exponent }: NonNullable<Profile['tenants']>): readonly number[] {
  const weights = Array.from({ length: count }, (_, rank) => (rank + 1) ** -exponent)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/** Segments repeat after so many users. */
const usersStep = 20

function profileNamed(name: string): Profile {
  if (!isProfileName(name)) throw new Error(`no profile is called ${name}`)
  return profileCalled(name)
}

function partId(run: string, workspace: string): string {
  return createHash('sha256').update(`${run}:${workspace}`).digest('hex').slice(0, 16)
}

function mean([low, high]: readonly [number, number]): number {
  return (low + high) / 2
}
