// A native BLAS for large matrix products, where one is found: called through the optional package koffi, on the
// addresses of the shared memory, by whichever of our threads has the tile; its own threads are never used.
// In: a library's name or none. Out: sgemm, or why there is none. Not its job: choosing products (kernels/gemm.ts).

import { createRequire } from 'node:module';
import { runInThisContext } from 'node:vm';
import { flag } from '../base/env.ts';
import { nativeGemm } from '../kernels/gemm-native.ts';
import type { Blas, NativeBlas } from './pool.ts';

/** Names that the system's loader knows, and places where package managers put them. */
const LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['libopenblas.so.0', 'libopenblas.so', 'libmkl_rt.so.2', 'libmkl_rt.so'],
  darwin: [
    '/System/Library/Frameworks/Accelerate.framework/Accelerate',
    '/opt/homebrew/opt/openblas/lib/libopenblas.dylib',
    'libopenblas.dylib',
  ],
  win32: ['libopenblas.dll', 'mkl_rt.2.dll'],
};
/** One thread each: set before a library starts its own, and taken back for child processes. */
const ONE_THREAD = {
  OPENBLAS_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  MKL_THREADING_LAYER: 'SEQUENTIAL',
  VECLIB_MAXIMUM_THREADS: '1',
};

/** What every thread needs to open it. */
interface Found {
  readonly koffi: string;
  readonly libraries: readonly string[];
}
/**
 * Opens the first library that can be opened. Travels to workers as text, so that each thread has a handle of its own.
 * Row-major order is 101; plain and transposed are 111 and 112.
 */
const OPEN = `(require, { koffi: path, libraries }, memory) => {
  const koffi = require(path);
  const tried = [];
  for (const name of libraries) {
    try {
      const library = koffi.load(name);
      const f = library.func('void cblas_sgemm(int, int, int, int, int, int, float, uintptr_t, int, uintptr_t, int, float, uintptr_t, int)');
      for (const set of ['openblas_set_num_threads', 'MKL_Set_Num_Threads']) {
        try { library.func('void ' + set + '(int)')(1); } catch {}
      }
      let about = name;
      try { about = library.func('const char *openblas_get_config()')().replace(/ [A-Z]+_\\S+/g, '').trim(); } catch {}
      const base = Number(koffi.address(new Uint8Array(memory.buffer)));
      const sgemm = (ta, tb, m, n, k, a, lda, b, ldb, c, ldc) =>
        f(101, 111 + ta, 111 + tb, m, n, k, 1, base + (a >>> 0), lda, base + (b >>> 0), ldb, 0, base + (c >>> 0), ldc);
      return { sgemm, about };
    } catch (e) {
      tried.push(name + ': ' + e.message);
    }
  }
  return { sgemm: null, about: tried.join('; ') };
}`;

/** The function of a worker: it opens the library when it is first given a tile of a product. */
export const WORKER_BLAS = `(require, found, memory) => {
  let f = null;
  return (...args) => {
    f ??= (${OPEN})(require, found, memory).sgemm;
    f(...args);
  };
}`;

/** Where a BLAS may be, or why there is none; opening it takes about 20 ms. */
export function findBlas(): NativeBlas {
  const wanted = flag('TENON_BLAS');
  const none = (about: string): NativeBlas => ({
    found: null,
    gemm: nativeGemm,
    open: () => ({ sgemm: null, about }),
  });
  if (wanted === '0') return none('TENON_BLAS=0');
  const libraries = wanted === '' || wanted === '1' ? (LIBRARIES[process.platform] ?? []) : [wanted];
  const require = createRequire(import.meta.url);
  try {
    const found: Found = { koffi: require.resolve('koffi'), libraries };
    return { found, gemm: nativeGemm, open: memory => open(require, found, memory) };
  } catch {
    return none('the package koffi is not installed');
  }
}

function open(require: NodeJS.Require, found: Found, memory: WebAssembly.Memory): Blas {
  const before = Object.keys(ONE_THREAD).map(name => [name, process.env[name]] as const);
  Object.assign(process.env, ONE_THREAD);
  try {
    return (runInThisContext(OPEN) as typeof open)(require, found, memory);
  } catch (e) {
    return { sgemm: null, about: `koffi: ${(e as Error).message}` };
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
