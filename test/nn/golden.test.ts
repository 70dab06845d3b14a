// Layers, losses, norms and initialisers of PyTorch 1.13, case by case, where the cases are there.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runGolden } from '../../scripts/conformance/golden.ts';

const cases = resolve(import.meta.dirname, '../../../shared/external/torch-golden/data');
describe.skipIf(!existsSync(cases))('PyTorch’s results (needs ../shared/external/torch-golden)', () => {
  test.each([
    ['norm', /^26 passed, 0 failed, 0 skipped$/],
    ['loss', /^28 passed, 0 failed, 0 skipped$/],
    ['embedding', /^5 passed, 0 failed, 0 skipped$/],
    ['layers', /^15 passed, 0 failed, 0 skipped$/],
    ['nn_utils', /^14 passed, 0 failed, 0 skipped$/],
    ['init', /^30 passed, 0 failed, 0 skipped$/],
    // 13: ONNX, and models of layers that are still missing.
    // What is skipped is ONNX.
    ['files', /^42 passed, 0 failed, 9 skipped$/],
    ['ssm', /^7 passed, 0 failed, 0 skipped$/],
    ['stats', /^8 passed, 0 failed, 0 skipped$/],
    ['train', /^4 passed, 0 failed, 0 skipped$/],
    ['rnn', /^26 passed, 0 failed, 0 skipped$/],
    ['attention', /^15 passed, 0 failed, 0 skipped$/],
    ['bands', /^7 passed, 0 failed, 0 skipped$/],
  ])(
    '%s',
    async (group, last) => {
      const lines: string[] = [];
      await runGolden(cases, [group], line => lines.push(line));
      expect(lines.at(-1), lines.join('\n')).toMatch(last);
    },
    900_000,
  );
});
