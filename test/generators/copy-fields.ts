import { TextBuffer } from '../../src/generators/sinks/text-buffer.js'
import { textWriter } from '../../src/generators/sinks/text-form.js'
import { readType } from '../../src/generators/sinks/value-type.js'

/**
 * The rows of a piece of a binary COPY that holds whole rows, field by field.
 *
 * The array and its views belong to the iterator: they are valid until the next row.
 */
export function* rowsOf(content: Buffer): Iterable<readonly (Buffer | null)[]> {
  const row: (Buffer | null)[] = []
  for (let at = 0; at < content.length; ) {
    const fields = content.readInt16BE(at)
    at += 2
    row.length = fields
    for (let i = 0; i < fields; i++) {
      const length = content.readInt32BE(at)
      at += 4
      row[i] = length < 0 ? null : content.subarray(at, at + length)
      at += Math.max(0, length)
    }
    yield row
  }
}

/**
 * A field as PostgreSQL would write it, with dates in ISO order and times in UTC.
 *
 * @param type the name of a type, such as `int4`, `numeric(10,6)` or `varchar[]`.
 * @throws Error when the type is none that is known.
 */
export function fieldText(type: string, field: Buffer): string {
  const known = readType(type)
  if (!known) throw new Error(`no reader of binary fields for the type ${type}`)
  const target = new TextBuffer(256)
  textWriter(known)(field, 0, field.length, target)
  return target.content.toString()
}
