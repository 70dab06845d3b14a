// What the documents say about the code is what the code says.

import { describe, expect, it } from 'vitest';
import { generated, stale } from '../../scripts/docs.ts';

describe('generated documents', () => {
  const { files, missing } = generated();
  it('are current (else: npm run docs)', () => {
    expect(stale(files)).toEqual([]);
  });
  it('notice a change', () => {
    expect(stale({ ...files, 'docs/flags.md': 'other' })).toEqual(['docs/flags.md']);
    const { 'docs/api/tensor.md': _, ...rest } = files;
    expect(stale(rest)).toEqual(['docs/api/tensor.md']);
  });
  it('have a sentence for every public function, class and method of tensors', () => {
    expect(missing).toEqual([]);
  });
  it('show signatures as one writes calls', () => {
    expect(files['docs/api/tenon.md']).toContain(
      'arange(start: number, end: number, options?: TensorOptions): Tensor',
    );
    expect(files['docs/api/tenon.md']).toContain('sum(x: Tensor, dim?: Dims | null, options?: ');
    for (const text of Object.values(files))
      expect(text).not.toMatch(/import\("|export declare|^\w+: never$/m);
  });
});
