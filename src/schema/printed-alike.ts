const literal = `'(?:[^']|'')*'::character varying`
const castAfterwards = new RegExp(String.raw`\(ARRAY\[(${literal}(?:, ${literal})*)\]\)::text\[\]`, 'g')

/**
 * A definition in the words that PostgreSQL has for it once it was dumped and restored.
 *
 * `status in ('a', 'b')` on a varchar is printed as an array that is cast to `text[]`; read back from
 * that print, it is an array of which each element is cast. The two say the same.
 */
export function printedAlike<T>(definition: T): T | string {
  if (typeof definition !== 'string') return definition
  return definition.replace(castAfterwards, (_, elements: string) => {
    const casts = elements.match(new RegExp(literal, 'g')) ?? []
    return `ARRAY[${casts.map((element) => `(${element})::text`).join(', ')}]`
  })
}
