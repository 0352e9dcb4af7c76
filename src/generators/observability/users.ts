import { type WeightedChoice, weightedChoice } from '../distributions.js'
import { Random, type StreamKey, streamKey } from '../random.js'
import { dayMs, epochDay } from './calendar.js'
import { departments } from './departments.js'
import type { Profile } from './profiles.js'

export const segments = ['power_user', 'regular', 'new', 'dormant'] as const
export type Segment = (typeof segments)[number]

export interface User {
  readonly index: number
  readonly userId: string
  readonly segment: Segment
  /** Index into `departments`. */
  readonly department: number
  /** Milliseconds since 1970. */
  readonly signedUpAt: number
  /** The last day on which a dormant user may come; others have none. */
  readonly leavesOnDay: number
  /** Requests relative to other users of the department. */
  readonly weight: number
}

/** Of twenty users two are power users, fourteen regular, three new and one dormant: 10/70/15/5. */
const segmentPattern: readonly Segment[] = [
  ...Array<Segment>(2).fill('power_user'),
  ...Array<Segment>(14).fill('regular'),
  ...Array<Segment>(3).fill('new'),
  'dormant',
]

/** The share of each segment among the users. */
export const segmentShares: Readonly<Record<Segment, number>> = {
  power_user: shareOf('power_user'),
  regular: shareOf('regular'),
  new: shareOf('new'),
  dormant: shareOf('dormant'),
}

function shareOf(segment: Segment): number {
  return segmentPattern.filter((one) => one === segment).length / segmentPattern.length
}

/** Power users come first among the segments, so that these are some of them. */
const powerUsers = segmentPattern.filter((segment) => segment === 'power_user').length

/** Signed up long before any window, so that every department has somebody at work from the first day on. */
const founderAgeDays = 800

const segmentWeight: Readonly<Record<Segment, number>> = { power_user: 3, regular: 1, new: 1.5, dormant: 0.8 }

/**
 * The people of a workspace: a function of the profile, what seeds the population and its window.
 *
 * Within a department the nth most eager user sends n^−exponent as much as the first
 * (Zipf's law), so that a few cause most of the traffic.
 */
export function makeUsers(profile: Profile, seed: number, from: number, to: number): readonly User[] {
  const key = streamKey('users', profile.name, seed)
  const random = new Random()
  const perDepartment = Math.ceil(profile.users.count / departments.length)
  // One in each department; of few users every power user is one.
  const foundersOfGroup = profile.users.count < segmentPattern.length * departments.length ? powerUsers : 1
  return Array.from({ length: profile.users.count }, (_, index) => {
    const segment = segmentPattern[index % segmentPattern.length] ?? 'regular'
    const group = Math.floor(index / segmentPattern.length)
    const place = index % segmentPattern.length
    const founder = place < foundersOfGroup ? group * foundersOfGroup + place : departments.length
    const isFounder = founder < departments.length
    random.seat(key, 0, index)
    const department = isFounder ? founder : random.integer(departments.length)
    const signedUpAt = isFounder ? from - founderAgeDays * dayMs : signUp(random, segment, from, to)
    return {
      index,
      userId: `member-${String(index + 1).padStart(4, '0')}`,
      segment,
      department,
      signedUpAt: Math.floor(signedUpAt / 1000) * 1000,
      leavesOnDay: segment === 'dormant' ? epochDay(from + random.between(0.05, 0.4) * (to - from)) : Infinity,
      weight: segmentWeight[segment] * (1 + random.integer(perDepartment)) ** -profile.users.exponent,
    }
  })
}

/** For each department, who of its users asks on a day. */
export class Attendance {
  readonly #seed: number
  readonly #byDepartment: readonly (readonly User[])[]
  readonly #random = new Random()
  #present: { readonly members: readonly User[]; readonly choice: WeightedChoice }[] = []

  constructor(users: readonly User[], seed: number) {
    this.#seed = seed
    this.#byDepartment = departments.map((_, department) => users.filter((user) => user.department === department))
  }

  /** Decides who is there on a day: nobody before the day after the sign-up, then fewer week by week. */
  openDay(day: number): void {
    const key = streamKey('attendance', this.#seed)
    this.#present = this.#byDepartment.map((users) => {
      const present = users.filter((user) => isPresent(user, day, this.#random, key))
      const members = present.length > 0 ? present : users.slice(0, 1)
      return { members, choice: weightedChoice(members.map(({ weight }) => weight)) }
    })
  }

  /** The user of a department that a number in [0, 1) falls on, as an index of the users. */
  at(department: number, u: number): number {
    const present = this.#present[department]
    return present?.members[present.choice.at(u)]?.index ?? 0
  }
}

function signUp(random: Random, segment: Segment, from: number, to: number): number {
  const length = to - from
  if (segment === 'new') return from + random.between(0.45, 0.97) * length
  if (segment === 'dormant') return from - random.between(20, 365) * dayMs
  return random.chance(0.55) ? from - random.between(1, 365) * dayMs : from + random.between(0, 0.85) * length
}

function isPresent(user: User, day: number, random: Random, key: StreamKey): boolean {
  const signUpDay = epochDay(user.signedUpAt)
  if (day <= signUpDay || day > user.leavesOnDay) return false
  const week = Math.floor((day - signUpDay - 1) / 7)
  return random.seat(key, user.index, week).chance(retention(user.segment, week))
}

/** The probability that a user comes in the nth week after the first. */
function retention(segment: Segment, week: number): number {
  if (segment === 'power_user') return week > 100 ? 1 : 0.97
  if (segment === 'regular') return 0.5 + 0.5 * Math.exp(-week / 3)
  if (segment === 'new') return 0.25 + 0.75 * Math.exp(-week / 3)
  return 0.6 + 0.4 * Math.exp(-week)
}
