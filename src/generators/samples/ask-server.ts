import type { Session, Sql } from '../../database/connect.js'
import { quoteIdentifier, quoteLiteral } from '../../database/quote.js'
import { Random, streamKey } from '../random.js'
import { candidateTexts } from './texts.js'

/** A condition on one text column, or on the value of a domain, that says nothing to the reader of conditions. */
export interface OpaqueCondition {
  readonly column: string
  readonly condition: string
}

/** How often the list of candidates is drawn anew, so that there are some of each form. */
const rounds = 12

/**
 * Texts that meet all of the conditions, found by asking the server about texts in the
 * forms that people ask for (addresses, codes, digits, …); empty when none does.
 */
export async function textsThatPass(
  sql: Sql | Session,
  conditions: readonly OpaqueCondition[],
): Promise<readonly string[]> {
  const key = streamKey('candidates')
  const texts = Array.from({ length: rounds }, (_, i) => candidateTexts(new Random().seat(key, i))).flat()
  const list = [...new Set(texts)].map((text) => `(${quoteLiteral(text)}::text)`).join(', ')
  const tests = conditions.map(
    ({ column, condition }) => `(select ${condition} from (select c.text) as one (${quoteIdentifier(column)}))`,
  )
  const rows = await sql
    .unsafe<{ text: string }[]>(`select c.text from (values ${list}) c (text) where ${tests.join(' and ')}`)
    .catch(() => [])
  return rows.map((row) => row.text)
}
