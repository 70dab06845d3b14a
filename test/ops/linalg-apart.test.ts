// Factorisations lie above tensors: methods of tensors that need them say so where they are not loaded.

import { expect, it } from 'vitest';
import '../../src/platform.ts';
import { tensor } from '../../src/tensor/create.ts';
import '../../src/tensor/tensor.ts';

it('methods that need linalg find it once it is loaded', async () => {
  const x = tensor([
    [2, 0],
    [0, 3],
  ]);
  expect(() => x.det()).toThrow(
    "linalg: it must be loaded before its methods are called. import 'tenon/linalg'",
  );
  await import('../../src/linalg/index.ts');
  expect(x.det().itemSync()).toBe(6);
});
