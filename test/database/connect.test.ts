import { expect, it } from 'vitest'
import { testDatabase } from '../support/database.js'

it('knows what the server is', async () => {
  const { platform } = await testDatabase()
  expect(platform.name).toBe('postgres')
  expect(platform.serverVersion).toBeGreaterThanOrEqual(150000)
})
