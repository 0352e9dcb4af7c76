import { expect, it } from 'vitest'
import { departmentId, uuidV5 } from '../../../src/generators/observability/ids.js'

// RFC 9562 names the namespaces; the second vector is that of its appendix A.4.
it.each([
  ['6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability', '6f13dae5-b867-5fa9-a038-4f3cf4558d0e'],
  ['6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com', '2ed6657d-e927-568b-95e1-2665a8aea6a2'],
])('derives the UUID of %s and %s as RFC 9562 says', (namespace, name, expected) => {
  expect(uuidV5(namespace, name)).toBe(expected)
})

it('derives a department from its workspace and code', () => {
  expect(departmentId('8f14e45f-ceea-4e7a-9b1c-0242ac120001', 'engineering')).toBe(
    'b3331435-1a34-5fc0-ba98-a989e850badc',
  )
})
