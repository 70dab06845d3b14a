// The optimizers and schedules of PyTorch 1.13, case by case, where the cases are there.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runGolden } from '../../scripts/conformance/golden.ts';

const cases = resolve(import.meta.dirname, '../../../shared/external/torch-golden/data');
describe.skipIf(!existsSync(cases))('PyTorch’s results (needs ../shared/external/torch-golden)', () => {
  test.each(['optim', 'lr_scheduler'])('%s', async group => {
    const lines: string[] = [];
    const passed = await runGolden(cases, [group], line => lines.push(line));
    expect(passed, lines.join('\n')).toBe(true);
    expect(lines.at(-1)).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/);
  });
});
