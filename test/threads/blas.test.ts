// Products by a native BLAS: the numbers of our own kernels, an off switch, and a reason where there is none.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Answer {
  readonly blas: boolean;
  readonly library: string;
  readonly out: Record<string, string>;
}
const run = (blas: string, threads = '2'): Answer =>
  JSON.parse(
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'products.ts')],
      {
        env: { ...process.env, TENON_BLAS: blas, TENON_THREADS: threads },
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      },
    ),
  );

const numbers = (text: string): Float32Array => {
  const b = Buffer.from(text, 'base64');
  return new Float32Array(b.buffer, b.byteOffset, b.length / 4);
};
const own = run('0');
const native = run('');

it('is off with TENON_BLAS=0', () => {
  expect(own.blas).toBe(false);
  expect(own.library).toBe('TENON_BLAS=0');
});
it('is left out, with the reason, where the library cannot be opened', () => {
  const missing = run('libnothing-of-this-name.so');
  expect(missing.blas).toBe(false);
  expect(missing.library).toContain('libnothing-of-this-name.so');
  expect(missing.out).toEqual(own.out);
});
describe.skipIf(!native.blas)(`a native BLAS (${native.library})`, () => {
  it.each(Object.keys(own.out))('%s', name => {
    const [a, b] = [numbers(own.out[name]!), numbers(native.out[name]!)];
    expect(b.length).toBe(a.length);
    let worst = 0;
    // Two orders of up to 784 terms: float32 sums are good to about 2⁻²³ · Σ|a·b|, and Σ|a·b| is about 500.
    a.forEach((v, i) => {
      worst = Math.max(worst, Math.abs(v - b[i]!) / (1 + Math.abs(v)));
    });
    expect(worst).toBeLessThan(name.includes('bfloat16') ? 2 ** -7 : 6e-5);
  });
  it('is really used: sums in another order differ in their last bits', () => {
    // Which of them do depends on the library's kernel for this machine: some of its orders are ours.
    expect(Object.keys(own.out).filter(name => native.out[name] !== own.out[name])).not.toEqual([]);
  });
  it('gives one thread and three the same bits', () => {
    expect(run('', '1').out).toEqual(native.out);
    expect(run('', '3').out).toEqual(native.out);
  });
});
