// The random numbers of one sample on its way through a pipeline.
// In: a generator, of which a sample takes one draw. Out: numbers, the same for the same state.

import { below, shuffle, words } from '../../data/draws.ts';
import type { Generator } from '../../tensor/random.ts';

export class Draw {
  private readonly generator: Generator;
  private next: (() => number) | null = null;
  constructor(generator: Generator) {
    this.generator = generator;
  }
  /** Taken when it is needed: a pipeline without chance leaves the generator alone. */
  private word(): number {
    this.next ??= words(this.generator);
    return this.next();
  }
  /** Uniform in (low, high). */
  uniform(low = 0, high = 1): number {
    return low + ((this.word() + 0.5) / 2 ** 32) * (high - low);
  }
  /** An integer in [0, n). */
  below(n: number): number {
    return below(() => this.word())(n);
  }
  chance(p: number): boolean {
    return this.uniform() < p;
  }
  /** 0 … n−1 in random order. */
  order(n: number): number[] {
    return shuffle(
      Array.from({ length: n }, (_, i) => i),
      k => this.below(k),
    ) as number[];
  }
  /** Standard normal (Box and Muller 1958). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}
