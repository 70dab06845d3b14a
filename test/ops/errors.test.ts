// Every op of the registry refuses its bad inputs with its message, and every op has samples.

import { describe, expect, it } from 'vitest';
import { TenonError } from '../../src/base/errors.ts';
import { allOps, applyOp, inputsOf } from '../support.ts';

describe('bad inputs', () => {
  for (const def of allOps) {
    def.errors().forEach((e, k) => {
      it(`${def.name} #${k}: ${e.message}`, () => {
        const src = inputsOf(e, 5, 'cpu').map(t => t.node());
        let error: unknown = null;
        try {
          applyOp(def, e, src);
        } catch (x) {
          error = x;
        }
        expect(error).toBeInstanceOf(TenonError);
        expect((error as Error).message).toContain(e.message);
        expect((error as Error).message.startsWith(`${def.name}: `)).toBe(true);
      });
    });
  }
});

describe('records', () => {
  for (const def of allOps.filter(d => d.arity > 0 && d.name !== 'random')) {
    it(`${def.name} has samples and a sentence`, () => {
      expect(def.samples().length).toBeGreaterThan(0);
      expect(def.doc).not.toBe('');
    });
  }
});
