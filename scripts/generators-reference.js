// Writes docs/generators.md from what the generators say of themselves.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createJiti } from 'jiti'

const root = fileURLToPath(new URL('..', import.meta.url))
const { renderReference } = await createJiti(import.meta.url).import('../src/generators/library/reference.ts')
writeFileSync(`${root}docs/generators.md`, renderReference())
