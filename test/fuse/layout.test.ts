// Permutes move towards the results: chains between layers that want another order of dims run in that order.

import { expect, test } from 'vitest';
import { compile, F, manualSeed, nn, profile, randn, setFlag, type Tensor, tensor } from '../../src/index.ts';
import type { Node } from '../../src/ir/node.ts';
import { simplify } from '../../src/ir/simplify.ts';
import { numbers } from '../support.ts';

/** The ops of a graph after all passes, by name. */
function opsOf(...roots: Tensor[]): Map<string, number> {
  const out = new Map<string, number>();
  const seen = new Set<Node>();
  const visit = (n: Node): void => {
    if (seen.has(n)) return;
    seen.add(n);
    out.set(n.op.name, (out.get(n.op.name) ?? 0) + 1);
    if (n.value === null) n.src.forEach(visit);
  };
  simplify(roots.map(r => r.node())).forEach(visit);
  return out;
}

test('between two convolutions nothing is permuted, and the first reads its images as they lie', () => {
  const x = randn([2, 3, 8, 8]).realize();
  const [w, v] = [randn([4, 3, 3, 3]).realize(), randn([5, 4, 3, 3]).realize()];
  const bias = randn([4]).realize();
  const y = F.conv2d(F.maxPool2d(F.conv2d(x, w, bias, { padding: 1 }).relu(), 2), v);
  expect(opsOf(y).get('permute')).toBe(1);
  const norm = F.batchNorm(F.conv2d(x, w, null, { padding: 1 }), null, null, bias, bias, { training: true });
  expect(opsOf(F.conv2d(norm.relu(), v)).get('permute')).toBe(1);
});

test('a shortcut that takes every second place and adds channels leaves the order of dims alone', () => {
  const x = randn([2, 4, 8, 8]).realize();
  const [w, v] = [randn([8, 4, 3, 3]).realize(), randn([8, 8, 3, 3]).realize()];
  const first = F.conv2d(x, randn([4, 4, 3, 3]).realize(), null, { padding: 1 }).relu();
  const places = F.pad(F.maxPool2d(first, 1, { stride: 2 }), [0, 0, 0, 0, 2, 2]);
  const y = F.conv2d(first, w, null, { padding: 1, stride: 2 }).add(places).relu();
  expect(opsOf(F.conv2d(y, v, null, { padding: 1 })).get('permute')).toBe(1);
});

test('operands in different orders come to an end, and to the right values', async () => {
  manualSeed(1);
  const a = randn([1, 3, 4]).realize();
  const b = randn([4, 1, 3]).realize();
  const [p, q] = [a.permute([2, 0, 1]), b.permute([0, 2, 1])]; // (4, 1, 3), (4, 3, 1)
  const sum = p.add(q); // (4, 3, 3)
  const want = numbers(a);
  const other = numbers(b);
  const expected: number[] = [];
  for (let i = 0; i < 4; i++)
    for (let j = 0; j < 3; j++)
      for (let k = 0; k < 3; k++) expected.push(want[k * 4 + i]! + other[i * 3 + j]!);
  numbers(sum).forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 6);
  });
  const wide = a.permute([2, 0, 1]).expand([4, 40, 3]);
  const tall = b.permute([2, 1, 0]).expand([3, 40, 4]).permute([2, 1, 0]);
  expect(wide.mul(tall).shape).toEqual([4, 40, 3]);
  expect(numbers(wide.mul(tall)).every(Number.isFinite)).toBe(true);
  expect(numbers(tensor(new Float32Array(0)).reshape([3, 0]).permute([1, 0]).mul(2))).toEqual([]);
});

test('a training step of a small net writes no matrix of columns and copies its images only to pad them', () => {
  const net = new nn.Sequential(
    new nn.Conv2d(3, 8, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.Conv2d(8, 8, 3, { padding: 1, bias: false }),
  );
  const step = compile((x: Tensor) => {
    net.zeroGrad();
    const loss = net(x).square().mean();
    loss.backward();
    return loss;
  });
  const x = randn([16, 3, 16, 16]).realize();
  setFlag('TENON_VERIFY', true);
  try {
    numbers(step(x));
  } finally {
    setFlag('TENON_VERIFY', undefined);
  }
  // A kernel reads and writes a few images, padded at most; columns would be nine times as large.
  const images = 16 * 18 * 18 * 8 * 4;
  const { events } = profile(() => numbers(step(x)));
  expect(Math.max(...events.map(e => e.bytes))).toBeLessThan(4 * images);
  expect(step.stats.kernels).toBeLessThanOrEqual(26);
});
