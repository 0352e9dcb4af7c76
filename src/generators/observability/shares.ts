import { type Expected, sharesOf } from '../library/expected.js'
import type { Agent } from './agents.js'
import { dayMs } from './calendar.js'
import { intentShare } from './calibrate.js'
import { departments, intents } from './departments.js'
import { failureKinds } from './failures.js'
import type { Profile } from './profiles.js'
import type { TraceSource } from './trace-source.js'

/** The planned traces of each agent. */
export function tracesPerAgent({ volume, population }: TraceSource): ReadonlyMap<Agent, number> {
  const days = Array.from({ length: volume.dayCount }, (_, i) => volume.firstDay + i)
  const total = (agent: Agent) => days.reduce((sum, day) => sum + volume.count(agent.index, day), 0)
  return new Map(population.agents.map((agent) => [agent, total(agent)]))
}

/** By agent id. */
export function agentShares(perAgent: ReadonlyMap<Agent, number>): Expected {
  return sharesOf(Object.fromEntries([...perAgent].map(([{ agentId }, traces]) => [agentId, traces])))
}

/** By code. */
export function departmentShares(perAgent: ReadonlyMap<Agent, number>): Expected {
  const sums = departments.map(({ code }, i): [string, number] => [
    code,
    [...perAgent].reduce((sum, [{ department }, traces]) => (department === i ? sum + traces : sum), 0),
  ])
  return sharesOf(Object.fromEntries(sums))
}

/** By code. */
export function environmentShares({ environments }: Profile): Expected {
  return sharesOf(Object.fromEntries(Object.entries(environments).map(([code, { share }]) => [code, share])))
}

export function intentShares({ calibration, profile }: TraceSource, perAgent: ReadonlyMap<Agent, number>): Expected {
  const sums = intents.map(() => 0)
  for (const [agent, traces] of perAgent) {
    const weights = agent.intents.map((share, i) => share * (calibration().intents[i] ?? 1))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    for (const [i, weight] of weights.entries()) sums[i] = (sums[i] ?? 0) + (traces * weight) / total
  }
  const total = sums.reduce((sum, count) => sum + count, 0)
  const share = (i: number) =>
    profile.targets.intents ? intentShare(profile.targets, i) : total > 0 ? (sums[i] ?? 0) / total : 0
  return { kind: 'shares', shares: Object.fromEntries(intents.map((intent, i) => [intent, share(i)])) }
}

/** Of failures outside of incidents, by the word that their error text begins with. */
export function failureKindShares({ failures: { error, timeout } }: Profile): Expected {
  const weights = failureKinds.reduce((sum, { weight }) => sum + weight, 0)
  const kinds = failureKinds.map(({ name, weight }): [string, number] => [name, (error * weight) / weights])
  return sharesOf(Object.fromEntries([...kinds, ['timeout', timeout]]))
}

/** As many traces on every day as are planned, and over a day as the profile's hours say. */
export function timeCurve({ volume, population, window }: TraceSource): Expected {
  const before: number[] = [0]
  for (let i = 0; i < volume.dayCount; i++) {
    const day = volume.firstDay + i
    const count = population.agents.reduce((sum, { index }) => sum + volume.count(index, day), 0)
    before.push((before[i] ?? 0) + count)
  }
  const total = before.at(-1) || 1
  return {
    kind: 'curve',
    unit: 'time',
    range: [window.from * 1000, window.to * 1000],
    step: 0,
    words: 'every day as many as planned, over the day by the hours of the profile',
    cdf(micros) {
      const time = Math.min(window.to, Math.max(window.from, micros / 1000))
      const i = Math.min(volume.dayCount - 1, Math.floor(time / dayMs) - volume.firstDay)
      const day = volume.firstDay + i
      const { from, to } = volume.part(day)
      const share = population.curve.shareBefore(time - day * dayMs)
      const part = Math.min(1, Math.max(0, (share - from) / (to - from)))
      const [start, end] = [before[i] ?? 0, before[i + 1] ?? 0]
      return (start + part * (end - start)) / total
    },
  }
}
