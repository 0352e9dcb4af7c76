import { defineConfig } from 'vitest/config'

const unit = ['test/**/*.unit.test.ts']

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: unit } },
      {
        test: {
          name: 'database',
          include: ['test/**/*.test.ts'],
          exclude: unit,
          globalSetup: 'test/support/global-setup.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
