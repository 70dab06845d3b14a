import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One thread of tensors per test process: vitest itself uses the cores. The thread suite runs alone (scripts/run.mjs).
    env: { TENON_THREADS: '1' },
    testTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
