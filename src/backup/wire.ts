/**
 * The few messages of PostgreSQL's wire protocol that pg_dump and a server exchange.
 *
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** A column of a result, as the driver describes it. */
export interface WireColumn {
  readonly name: string
  readonly type: number
  readonly table: number
  readonly number: number
}

/** The answer to one statement; `columns` is undefined for one that returns no rows. */
export interface WireResult {
  readonly columns: readonly WireColumn[] | undefined
  readonly rows: readonly (readonly (Uint8Array | null)[])[]
  /** The command tag, for example `SELECT 3`. */
  readonly tag: string
}

export interface WireError {
  readonly severity: string
  readonly code: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
}

/** I idle, T in a transaction, E in a failed one. */
export type TransactionState = 'I' | 'T' | 'E'

export type FrontendMessage =
  | { readonly kind: 'startup' }
  | { readonly kind: 'query'; readonly text: string }
  | { readonly kind: 'terminate' }
  | { readonly kind: 'other'; readonly type: string }

/** Cuts a stream of client bytes into messages; a message may arrive in pieces. */
export class FrontendReader {
  #pending: Buffer = Buffer.alloc(0)
  #started = false

  /** The messages that `bytes` completes. */
  read(bytes: Uint8Array): FrontendMessage[] {
    this.#pending = Buffer.concat([this.#pending, bytes])
    const messages: FrontendMessage[] = []
    for (let message = this.#next(); message; message = this.#next()) messages.push(message)
    return messages
  }

  #next(): FrontendMessage | undefined {
    const typeBytes = this.#started ? 1 : 0
    if (this.#pending.length < typeBytes + 4) return undefined
    const end = typeBytes + this.#pending.readUInt32BE(typeBytes)
    if (this.#pending.length < end) return undefined
    const message = this.#pending.subarray(0, end)
    this.#pending = this.#pending.subarray(end)
    if (typeBytes === 1) return frontendMessage(message)
    this.#started = true
    return { kind: 'startup' }
  }
}

function frontendMessage(message: Buffer): FrontendMessage {
  const type = String.fromCharCode(message[0] ?? 0)
  if (type === 'X') return { kind: 'terminate' }
  if (type !== 'Q') return { kind: 'other', type }
  return { kind: 'query', text: new TextDecoder('utf-8', { fatal: true }).decode(message.subarray(5, -1)) }
}

/** What a server says to a client it has let in. */
export function encodeWelcome(parameters: Readonly<Record<string, string>>): Buffer {
  const settings = Object.entries(parameters).map(([name, value]) => message('S', text(name), text(value)))
  return Buffer.concat([message('R', int32(0)), ...settings, message('K', int32(0), int32(0)), ready('I')])
}

export function encodeResult({ columns, rows, tag }: WireResult, state: TransactionState): Buffer {
  const description = columns ? [message('T', int16(columns.length), ...columns.map(encodeColumn))] : []
  return Buffer.concat([...description, encodeRows(rows), message('C', text(tag)), ready(state)])
}

export function encodeError(error: WireError, state: TransactionState): Buffer {
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['S', error.severity],
    ['V', error.severity],
    ['C', error.code],
    ['M', error.message],
    ['D', error.detail],
    ['H', error.hint],
  ]
  const present = fields.flatMap(([name, value]) => (value ? [Buffer.from(name), text(value)] : []))
  return Buffer.concat([message('E', ...present, Buffer.from([0])), ready(state)])
}

function encodeColumn({ name, table, number, type }: WireColumn): Buffer {
  const size = int16(-1)
  const modifier = int32(-1)
  const format = int16(0)
  return Buffer.concat([text(name), uint32(table), int16(number), uint32(type), size, modifier, format])
}

type WireRow = WireResult['rows'][number]

/** All DataRow messages in one buffer: pg_dump reads whole catalogs, and a buffer a value would be most of the work. */
function encodeRows(rows: readonly WireRow[]): Buffer {
  const bytes = Buffer.allocUnsafe(rows.reduce((total, row) => total + 1 + rowLength(row), 0))
  let at = 0
  for (const row of rows) {
    at = bytes.write('D', at) + at
    at = bytes.writeInt32BE(rowLength(row), at)
    at = bytes.writeInt16BE(row.length, at)
    for (const value of row) at = writeValue(bytes, value, at)
  }
  return bytes
}

/** The length that a DataRow states: everything but its type. */
function rowLength(row: WireRow): number {
  return row.reduce((total, value) => total + 4 + (value?.length ?? 0), 6)
}

function writeValue(bytes: Buffer, value: Uint8Array | null, at: number): number {
  const start = bytes.writeInt32BE(value?.length ?? -1, at)
  if (value) bytes.set(value, start)
  return start + (value?.length ?? 0)
}

function ready(state: TransactionState): Buffer {
  return message('Z', Buffer.from(state))
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((total, part) => total + part.length, 4)
  return Buffer.concat([Buffer.from(type), int32(length), ...parts])
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value & 0xffff)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
