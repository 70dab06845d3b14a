// R18: what a few kernels become, as text to be reviewed (kernels.snap.txt); and constants of vectors stand before the
// loops that use them: V8 does not move them out.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { setLog } from '../../src/base/log.ts';
import { F, randn, setFlag, type Tensor, tensor, useDevice, zeros } from '../../src/index.ts';

const device = 'null';
const modules: Uint8Array[] = [];
const RealModule = WebAssembly.Module;
let lines: string[] = [];
let constants = 0;
beforeAll(async () => {
  await useDevice(device);
  WebAssembly.Module = class extends RealModule {
    constructor(bytes: BufferSource) {
      super(bytes);
      modules.push(bytes as Uint8Array);
    }
  };
  setLog(text => lines.push(text));
});
afterAll(() => {
  WebAssembly.Module = RealModule;
  setFlag('DEBUG', undefined);
});

const of = (...shape: number[]): Tensor => zeros(shape, { device }).realize();
const KERNELS: readonly [string, () => Tensor][] = [
  ['gelu(2x + 1)', () => F.gelu(of(1000).mul(2).add(1))],
  ['softmax over rows of 100', () => of(64, 100).softmax(-1)],
  ['layer norm over rows of 37', () => F.layerNorm(of(20, 37), [37])],
  ['sum over columns', () => of(50, 30).sum(0)],
  [
    'cross-entropy of 3 classes',
    () => F.crossEntropy(of(40, 3), tensor(new Int32Array(40), { dtype: 'int64', device })),
  ],
  ['a flipped transpose', () => of(40, 30).T.flip(0).add(1)],
];

/** How many v128.const of a module stand in loops that hold no other loop. */
function constantsInInnermostLoops(bytes: Uint8Array): number {
  let [at, bad] = [8, 0];
  const leb = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const b = bytes[at++]!;
      value += (b & 127) * 2 ** shift;
      shift += 7;
      if (b < 128) return value;
    }
  };
  const lebs = (n: number): void => {
    for (let i = 0; i < n; i++) leb();
  };
  const body = (end: number): void => {
    for (let n = leb(); n > 0; n--) {
      leb();
      at++;
    }
    const open: { loop: boolean; constants: number; inner: boolean }[] = [];
    while (at < end) {
      const op = bytes[at++]!;
      if (op >= 0x02 && op <= 0x04) {
        leb();
        if (op === 0x03) for (const o of open) o.inner ||= o.loop;
        open.push({ loop: op === 0x03, constants: 0, inner: false });
      } else if (op === 0x0b) {
        const o = open.pop();
        if (o?.loop && !o.inner) bad += o.constants;
      } else if (op === 0x0e) lebs(leb() + 1);
      else if (op === 0x11 || (op >= 0x28 && op <= 0x3e)) lebs(2);
      else if (
        op === 0x0c ||
        op === 0x0d ||
        op === 0x10 ||
        (op >= 0x20 && op <= 0x26) ||
        (op >= 0x3f && op <= 0x42)
      )
        leb();
      else if (op === 0x43) at += 4;
      else if (op === 0x44) at += 8;
      else if (op === 0xfc) {
        const sub = leb();
        if (sub >= 8) at += sub === 11 ? 1 : 2;
      } else if (op === 0xfe) {
        if (leb() === 3) at++;
        else lebs(2);
      } else if (op === 0xfd) {
        const sub = leb();
        if (sub <= 11 || sub === 92 || sub === 93) lebs(2);
        else if (sub >= 84 && sub <= 91) {
          lebs(2);
          at++;
        } else if (sub === 12 || sub === 13) {
          const around = open.findLast(o => o.loop);
          if (sub === 12) constants++;
          if (sub === 12 && around !== undefined) around.constants++;
          at += 16;
        } else if (sub >= 21 && sub <= 34) at++;
      }
    }
    expect(at).toBe(end);
    expect(open).toEqual([]);
  };
  while (at < bytes.length) {
    const id = bytes[at++]!;
    const size = leb();
    const end = at + size;
    if (id === 10) {
      for (let n = leb(); n > 0; n--) {
        const length = leb();
        body(at + length);
      }
    }
    at = end;
  }
  return bad;
}

it('kernels are the loops that were reviewed', async () => {
  const parts: string[] = [];
  for (const [name, f] of KERNELS) {
    const t = f();
    lines = [];
    setFlag('DEBUG', 4);
    t.realize();
    setFlag('DEBUG', undefined);
    // The printer is loaded when it is first asked for.
    await expect.poll(() => lines.some(l => /^\w.*\n/.test(l) && !l.startsWith('--'))).toBe(true);
    const text = lines.filter(l => !/^(compile|realize|--| {2})/.test(l)).join('\n');
    parts.push(`==== ${name}\n${text}\n`);
  }
  await expect(parts.join('\n')).toMatchFileSnapshot('kernels.snap.txt');
});
it('no constant of a vector stands inside an innermost loop', () => {
  modules.length = 0;
  for (const [, f] of KERNELS) f().mul(3).tanh().realize();
  const w = randn([40, 30], { device }).requiresGrad_();
  F.crossEntropy(
    F.gelu(of(64, 30).matmul(w.T)),
    tensor(new Int32Array(64), { dtype: 'int64', device }),
  ).backward();
  w.grad!.erf().sin().realize();
  expect(modules.length).toBeGreaterThan(3);
  expect(modules.map(constantsInInnermostLoops)).toEqual(modules.map(() => 0));
  expect(constants).toBeGreaterThan(20);
});
