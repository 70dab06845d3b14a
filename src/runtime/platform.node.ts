// What Node gives: worker threads, environment variables, a cheap macrotask, a native BLAS.

import { availableParallelism } from 'node:os';
import { setImmediate as immediate } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { setFlagSource } from '../base/env.ts';
import { setLog } from '../base/log.ts';
import { findBlas, WORKER_BLAS } from './blas.node.ts';
import { setPlatform } from './pool.ts';

setFlagSource(name => process.env[name]);
setLog(text => {
  process.stderr.write(`${text}\n`);
});
setPlatform({
  name: `Node ${process.versions.node}`,
  cores: availableParallelism(),
  findBlas,
  heapUse: () => {
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    return used_heap_size / heap_size_limit;
  },
  spawn: (source, data) => {
    const start = `const d = require('node:worker_threads').workerData;
      serve(d, d.blas && (${WORKER_BLAS})(require, d.blas, d.memory));`;
    const w = new Worker(`${source}\n${start}`, {
      eval: true,
      // Not the flags of the process: --input-type=module would read the text as another kind of program.
      execArgv: [],
      workerData: data,
      stdout: false,
      stderr: false,
    });
    // A parked worker must not keep the process alive.
    w.unref();
    return { terminate: () => void w.terminate() };
  },
});
export const macrotask = (): Promise<void> => immediate();
