import type { Logger } from 'pino'
import type { LogLevel, logFormats } from '../config-file.js'

/** A pino logger on stderr: readable lines for people, one JSON object a line for machines. */
export async function createLogger(
  level: LogLevel,
  format: (typeof logFormats)[number],
  color: boolean,
): Promise<Logger> {
  const { pino } = await import('pino')
  if (format === 'json') return pino({ level }, pino.destination({ dest: 2, sync: true }))
  const { default: pretty } = await import('pino-pretty')
  const stream = pretty({
    destination: 2,
    sync: true,
    colorize: color,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss',
  })
  return pino({ level }, stream)
}

/** One line as pino writes it, for the error that ends the process. */
export async function errorLine(facts: Readonly<Record<string, unknown>>, message: string): Promise<string> {
  const { pino } = await import('pino')
  let line = ''
  pino({ level: 'error' }, { write: (text: string) => (line += text) }).error(facts, message)
  return line
}
