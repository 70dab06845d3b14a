// Transforms made of transforms: in a row, by chance, one of several; and a user's own function.

import { show, ValueError } from '../../base/errors.ts';
import { defaultGenerator, Generator } from '../../tensor/random.ts';
import type { Draw } from './draw.ts';
import { type AnyTransform, checkShare, type KindOf, Transform } from './transform.ts';

function checkList(op: string, list: readonly unknown[]): void {
  const odd = list.findIndex(t => !(t instanceof Transform));
  if (odd >= 0)
    throw new ValueError(
      op,
      'it takes a list of transforms',
      `${show(list[odd])} at ${odd}`,
      'wrap a function of your own in Lambda',
    );
}

/** One after the other. */
export class Compose<T extends AnyTransform> extends Transform<KindOf<T>> {
  readonly transforms: readonly T[];
  readonly random: boolean;
  constructor(transforms: readonly T[]) {
    super();
    checkList('Compose', transforms);
    this.transforms = transforms;
    this.random = transforms.some(t => t.random);
  }
  override run(sample: unknown, draw: Draw): unknown {
    return this.transforms.reduce<unknown>((s, t) => t.run(s, draw), sample);
  }
}
/** All in a row with probability p, else none. */
export class RandomApply<T extends AnyTransform> extends Transform<KindOf<T>> {
  readonly random = true;
  readonly transforms: readonly T[];
  readonly p: number;
  constructor(transforms: readonly T[], options: { readonly p?: number } = {}) {
    super();
    checkList('RandomApply', transforms);
    this.transforms = transforms;
    this.p = checkShare('RandomApply', 'p', options.p ?? 0.5);
  }
  override run(sample: unknown, draw: Draw): unknown {
    return draw.chance(this.p) ? this.transforms.reduce<unknown>((s, t) => t.run(s, draw), sample) : sample;
  }
}
/** One of several, each equally likely. */
export class RandomChoice<T extends AnyTransform> extends Transform<KindOf<T>> {
  readonly random = true;
  readonly transforms: readonly T[];
  constructor(transforms: readonly T[]) {
    super();
    checkList('RandomChoice', transforms);
    if (transforms.length === 0)
      throw new ValueError('RandomChoice', 'it takes at least one transform', 'none', '');
    this.transforms = transforms;
  }
  override run(sample: unknown, draw: Draw): unknown {
    return this.transforms[draw.below(this.transforms.length)]!.run(sample, draw);
  }
}
/** A function of one's own. One that takes a second parameter, a generator, counts as random. */
export class Lambda extends Transform<'same'> {
  readonly random: boolean;
  private readonly f: (sample: never, random: Generator) => unknown;
  constructor(f: (sample: never, random: Generator) => unknown) {
    super();
    this.f = f;
    this.random = f.length > 1;
  }
  override run(sample: unknown, draw: Draw): unknown {
    const own = this.random ? new Generator(draw.below(2 ** 31)) : defaultGenerator;
    return this.f(sample as never, own);
  }
}
