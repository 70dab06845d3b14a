// Steps without a dispose leave memory as it is. `npm run flat` does 100 000 and looks at the process too.

import { describe, expect, it } from 'vitest';
import { problems, series } from '../../scripts/flat.ts';
import { randn } from '../../src/index.ts';

describe('memory() is exactly flat', () => {
  it.each([
    ['compiled', true],
    ['uncompiled', false],
  ])('over 2000 %s steps', (_, compiled) => {
    const s = series(compiled, 2000);
    expect(new Set(s.memory.slice(1)).size).toBe(1);
    expect(s.memory[0]!.length).toBeGreaterThan(10);
  });
  it('and what is not flat is noticed', () => {
    const rss = Array.from({ length: 10 }, () => 100);
    expect(problems({ memory: ['a', 'b', 'b', 'b'], rss })).toEqual([]);
    expect(problems({ memory: ['b', 'b', 'b', 'c'], rss })).toEqual([
      'memory() of tenth 4 differs from that of the second',
    ]);
    expect(problems({ memory: ['b', 'b'], rss: [...rss.slice(1), 110] }).length).toBe(1);
  });
});

// V8 frees what was only weakly held when the task ends, which a synchronous loop never does: 250 results of 4 MB each, and
// a copy of each, would be 1 GB and more.
it('large results of a synchronous loop are garbage at once', () => {
  const x = randn([1024, 1024]);
  let most = 0;
  for (let i = 0; i < 250; i++) {
    const y = x.mul(i);
    expect(y.dataSync().length).toBe(1 << 20);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  expect(most).toBeLessThan(700e6);
});
