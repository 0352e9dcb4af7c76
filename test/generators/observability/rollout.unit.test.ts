import { describe, expect, it } from 'vitest'
import { profileCalled } from '../../../src/generators/observability/profiles.js'
import { adoption } from '../../../src/generators/observability/rollout.js'

const { rollout } = profileCalled('demo')
const times = Array.from({ length: 501 }, (_, i) => i / 500)
const last = rollout.releases.length - 1

describe('the rollout', () => {
  it('gives shares that add up to 1 at every time', () => {
    for (const time of times) {
      expect(versionShares(time).reduce((sum, share) => sum + share)).toBeCloseTo(1, 12)
    }
  })

  it('never takes a release back', () => {
    for (let release = 1; release <= last; release++) {
      const curve = times.map((time) => adoption(rollout, release, time))
      expect(curve).toEqual([...curve].sort((a, b) => a - b))
    }
  })

  it('sends the canary shares first, and nothing before the release', () => {
    const { at } = rollout.releases[2] ?? { at: 0 }
    expect(adoption(rollout, 2, at - 0.0001)).toBe(0)
    expect(adoption(rollout, 2, at)).toBe(0.05)
    expect(adoption(rollout, 2, at + 0.3 * rollout.ramp)).toBe(0.2)
  })

  it('begins with the oldest version everywhere and ends with the newest almost everywhere', () => {
    expect(versionShares(0)).toEqual([1, 0, 0, 0])
    expect(versionShares(1)[last]).toBeGreaterThan(0.99)
  })
})

/** The share of each release at a time. */
function versionShares(time: number): number[] {
  const adopted = rollout.releases.map((_, release) => adoption(rollout, release, time))
  return adopted.map((share, release) => Math.max(0, share - (adopted[release + 1] ?? 0)))
}
