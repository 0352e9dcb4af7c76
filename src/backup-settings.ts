import { resolve } from 'node:path'
import { z } from 'zod'
import { parseDuration } from './duration.js'
import { splitWords } from './words.js'

/** What to back up before migrations: everything, what the plan touches, definitions; or whose backup to rely on. */
export const backupModes = ['full', 'tables', 'schema', 'external', 'none'] as const
export type BackupMode = (typeof backupModes)[number]

const duration = z
  .string()
  .transform((text) => parseDuration(text) ?? Number.NaN)
  .refine((milliseconds) => !Number.isNaN(milliseconds), 'must be a time such as 90s, 30m, 24h or 7d')

const command = z.union([z.string().min(1), z.array(z.string()).min(1)])

/** `backup` of the configuration file. */
export const backupSchema = z.strictObject({
  mode: z.enum(backupModes).optional(),
  proofCommand: command.optional(),
  proofFile: z.string().min(1).optional(),
  maxAge: duration.optional(),
  encryptTo: z.array(z.string().min(1)).optional(),
  identity: z.array(z.string().min(1)).optional(),
  afterSuccess: command.optional(),
  afterSuccessTimeout: duration.optional(),
})

/** How backups are made and relied on, unless a flag says otherwise. */
export interface BackupSettings {
  /** Undefined: obs chooses by size. */
  readonly mode: BackupMode | undefined
  /** Program and arguments that prove that another system's backup is recent. */
  readonly proofCommand: readonly string[] | undefined
  /** Absolute path of a file whose age proves the same. */
  readonly proofFile: string | undefined
  /** How old the other backup may be, in milliseconds. */
  readonly maxAge: number
  /** Recipients, and absolute paths of files that hold some. */
  readonly encryptTo: readonly string[]
  /** Absolute paths of files that hold secret keys. */
  readonly identity: readonly string[]
  /** Program and arguments to run on every backup that was made. */
  readonly afterSuccess: readonly string[] | undefined
  /** Milliseconds it may take. */
  readonly afterSuccessTimeout: number
}

const aDay = 86_400_000
const anHour = 3_600_000

/** @throws UsageError when a command cannot be taken apart. */
export function backupSettings(content: z.output<typeof backupSchema> | undefined, folder: string): BackupSettings {
  const path = (name: string) => resolve(folder, name)
  const words = (value: string | readonly string[] | undefined, key: string) =>
    typeof value === 'string' ? splitWords(value, `backup.${key}`) : value
  return {
    mode: content?.mode,
    proofCommand: words(content?.proofCommand, 'proofCommand'),
    proofFile: content?.proofFile === undefined ? undefined : path(content.proofFile),
    maxAge: content?.maxAge ?? aDay,
    encryptTo: (content?.encryptTo ?? []).map((one) => (one.startsWith('age1') ? one : path(one))),
    identity: (content?.identity ?? []).map(path),
    afterSuccess: words(content?.afterSuccess, 'afterSuccess'),
    afterSuccessTimeout: content?.afterSuccessTimeout ?? anHour,
  }
}
