import { createHash } from 'node:crypto'

/** Bytes that PostgreSQL keeps of a name; https://www.postgresql.org/docs/current/sql-syntax-lexical.html */
const longest = 63

/**
 * The name of the index of one partition: that of the index and that of the partition,
 * cut and made distinct by a hash where they are too long together. The same every time,
 * so that a run finds again what the one before it began.
 *
 * @param turn 0 first; a greater number gives another name when somebody else has that one
 */
export function derivedName(index: string, partition: string, turn: number): string {
  const whole = `${index}_${partition}`
  if (turn === 0 && Buffer.byteLength(whole) <= longest) return whole
  const hash = createHash('sha256').update(`${index}\n${partition}\n${turn}`).digest('hex').slice(0, 8)
  return `${cut(whole, longest - hash.length - 1)}_${hash}`
}

/** No character is cut in two. */
function cut(text: string, bytes: number): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break
    kept += character
  }
  return kept
}
