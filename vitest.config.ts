import { defineConfig } from 'vitest/config';

/**
 * What starts threads, browsers or processes of its own runs by itself, one file after the other, on the built package:
 * `TENON_SUITE=alone`. Everything else runs with one thread of tensors per test process, since vitest uses the cores.
 */
const ALONE = ['test/threads/**/*.test.ts', 'test/package/**/*.test.ts', 'test/browser/**/*.test.ts'];
const alone = process.env['TENON_SUITE'] === 'alone';

export default defineConfig({
  test: {
    include: alone ? ALONE : ['test/**/*.test.ts'],
    exclude: alone ? [] : ALONE,
    globalSetup: alone ? ['test/package/build.ts'] : [],
    // The same bits on every machine: products on our own kernels. The suite of the native BLAS asks for it itself.
    env: { TENON_BLAS: '0', ...(alone ? {} : { TENON_THREADS: '1' }) },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: alone ? 1 : 2,
  },
});
