import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'

const unit = ['test/**/*.unit.test.ts']

export default defineConfig({
  test: {
    // The tests wait for PostgreSQL more than for themselves, so one worker a core is not enough.
    maxWorkers: availableParallelism() + 1,
    projects: [
      { test: { name: 'unit', include: unit, testTimeout: 30_000, hookTimeout: 30_000 } },
      {
        test: {
          name: 'database',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...unit],
          globalSetup: 'test/support/global-setup.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
