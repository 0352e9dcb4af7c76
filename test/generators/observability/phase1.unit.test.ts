import { expect, it } from 'vitest'
import { departments, intents } from '../../../src/generators/observability/departments.js'
import { traceSourceOf } from '../../../src/generators/observability/pack.js'
import { versions } from '../../../src/generators/observability/profiles.js'
import { TraceDrawer } from '../../../src/generators/observability/traces.js'
import { asOf, workspace } from './history.js'

/** The figures of the run that the profile is named after, as shares and means of its traces. */
const known = {
  departments: { operations: 0.1212, engineering: 0.1204, marketing: 0.1196, hr: 0.1106, product: 0.1074 },
  intents: {
    ...{ research: 0.2689, automation: 0.2392, data_analysis: 0.1956, content_creation: 0.1663 },
    ...{ code_generation: 0.0724, customer_support: 0.0517 },
  },
  versions: { 'v2.1': 0.9219, 'v2.0': 0.0776, 'v1.9': 0.0005 },
  latencyMs: 2626,
  failures: 0.0509,
  costUsd: 7364.72,
}

it.each([1, 20_261_122])(
  'comes out with seed %d as it did, every figure within one percent',
  { timeout: 120_000 },
  (seed) => {
    const run = { runId: `phase1-${seed}`, seed, profile: 'phase1', days: 90, asOf, scale: 1, workspace, ordinal: 0 }
    const source = traceSourceOf(run)
    const counts: Record<string, number> = {}
    const count = (name: string, by = 1) => {
      counts[name] = (counts[name] ?? 0) + by
    }
    const drawer = new TraceDrawer(source)
    for (let i = 0; i < source.volume.dayCount; i++) {
      drawer.openDay(source.volume.firstDay + i)
      for (const agent of source.population.agents) {
        const traces = drawer.openAgent(agent)
        count(departments[agent.department]?.code ?? '', traces)
        for (let n = 0; n < traces; n++) {
          const trace = drawer.draw()
          count(intents[trace.intent] ?? '')
          count(versions[trace.version] ?? '')
          count('latency', trace.latencyMs)
          count('cost', trace.costMicros)
          if (trace.status !== 0) count('failures')
        }
      }
    }
    expect(source.population.agents).toHaveLength(87)
    expect(source.volume.total).toBe(346_262)
    const wanted = { ...known.departments, ...known.intents, ...known.versions, failures: known.failures }
    const off = Object.entries(wanted).map(
      ([name, share]) => [name, (counts[name] ?? 0) / 346_262 / share - 1] as const,
    )
    off.push(['latency', (counts['latency'] ?? 0) / 346_262 / known.latencyMs - 1])
    off.push(['cost', (counts['cost'] ?? 0) / 1_000_000 / known.costUsd - 1])
    expect(off.filter(([, relative]) => Math.abs(relative) > 0.01)).toEqual([])
  },
)
