// Layers in place: the memory they save, and the errors where a value is still needed.

import { expect, test } from 'vitest';
import { memory, nn, randn, type Tensor } from '../../src/index.ts';

const mb = 1_000_000;
test('ReLU in place needs no memory for its result', () => {
  const x = randn([1000, 250]).realize();
  const bytes = (f: () => Tensor): number => {
    const held = (): number => memory()['cells']! + memory()['results']!;
    const before = held();
    expect(f().realize().numel).toBe(250_000);
    return held() - before;
  };
  expect(bytes(() => new nn.ReLU()(x))).toBe(mb);
  expect(bytes(() => new nn.ReLU({ inplace: true })(x))).toBe(0);
  expect(x.min().itemSync()).toBe(0);
});
test('the result is the input, and gradients pass', () => {
  const p = randn([3, 4], { requiresGrad: true });
  for (const layer of [
    new nn.ReLU({ inplace: true }),
    new nn.LeakyReLU(0.1, { inplace: true }),
    new nn.SiLU({ inplace: true }),
    new nn.Hardtanh(-1, 1, { inplace: true }),
  ]) {
    const h = p.mul(2);
    const y = layer(h);
    expect(y).toBe(h);
    p.grad = null;
    h.sum().backward();
    const inPlace = [...(p.grad!.dataSync() as Float32Array)];
    p.grad = null;
    (
      new (layer.constructor as new (...a: unknown[]) => nn.ReLU)(
        ...(layer instanceof nn.LeakyReLU ? [0.1] : []),
      ).forward(p.mul(2)) as Tensor
    )
      .sum()
      .backward();
    expect(inPlace).toEqual([...(p.grad! as Tensor).dataSync()].map(Number));
  }
});
test('an error where backward still needs what was there', () => {
  const p = randn([3], { requiresGrad: true });
  const relu = new nn.ReLU({ inplace: true });
  expect(() => {
    const h = p.sigmoid();
    relu(h);
    h.sum().backward();
  }).toThrow(
    'the value that sigmoid needs for its gradient was replaced in place, got a tensor changed by ReLU in',
  );
  expect(() => {
    const h = p.exp();
    const loss = h.square().sum();
    relu(h);
    loss.backward();
  }).toThrow('the value that square needs for its gradient was replaced in place');
  expect(() => relu(p)).toThrow('a leaf that requires grad cannot be changed in place');
});
