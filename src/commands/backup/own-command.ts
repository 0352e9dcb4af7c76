import { InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../../duration.js'
import { splitWords } from '../../words.js'

/** The value of a flag that names a program and its arguments. */
export function commandWords(flag: string): (text: string) => readonly string[] {
  return (text) => splitWords(text, flag)
}

/** The value of a flag that is a length of time, as milliseconds. */
export function duration(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds !== undefined) return milliseconds
  throw new InvalidArgumentError('It is a time such as 90s, 30m, 24h, 7d or 4w.')
}

/** For flags that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

export function afterSuccessOption(): Option {
  return new Option(
    '--after-success <command>',
    'run a program on every backup made, before success is announced; it gets OBS_BACKUP_PATH, OBS_BACKUP_ID and OBS_BACKUP_BYTES',
  ).argParser(commandWords('--after-success'))
}

export function encryptToOption(): Option {
  return new Option(
    '--encrypt-to <recipient-or-file>',
    'encrypt with age to a recipient (age1…) or to those in a file; may be given several times',
  ).argParser(collect)
}
