// Transforms: torchvision's values where nothing is drawn, the same draws for the same seed, masks and boxes that stay on
// what they mark, and errors that say what to do.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultCollate } from '../../src/data/index.ts';
import { Generator, manualSeed, type Tensor, tensor } from '../../src/index.ts';
import { BoundingBoxes, Image, Mask, transforms as T } from '../../src/vision/index.ts';
import {
  type AugmentName,
  applyStep,
  autoMagnitudes,
  POLICIES,
  wideMagnitudes,
} from '../../src/vision/transforms/auto.ts';
import { firstWrong, numbers } from '../support.ts';
import { picture } from './pictures.ts';

interface Case {
  readonly op: string;
  // biome-ignore lint/suspicious/noExplicitAny: arguments as Python wrote them
  readonly args: any[];
  readonly size: [number, number, number];
  readonly shape: [number, number, number];
  readonly bytes: string;
}
const want = JSON.parse(readFileSync(new URL('./torchvision.json', import.meta.url), 'utf8')) as {
  cases: Case[];
  floats: { toTensor: number[]; normalize: number[] };
  policies: Record<string, [[string, number, number | null], [string, number, number | null]][]>;
  spaces: Record<'auto' | 'rand' | 'trivial', Record<string, [number[], boolean]>>;
};
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];
const hex = (x: Image): string => Buffer.from(x.data).toString('hex');

describe('values of torchvision', () => {
  const check = (op: string, run: (x: Image, args: Case['args']) => Image): void => {
    const cases = want.cases.filter(c => c.op === op);
    expect(cases.length).toBeGreaterThan(2);
    for (const { args, size, shape, bytes } of cases) {
      const got = run(picture(...size), args);
      const what = `${op} ${JSON.stringify(args)} of ${size}`;
      expect([what, got.height, got.width, got.channels]).toEqual([what, ...shape]);
      expect([what, ...got.data]).toEqual([what, ...Buffer.from(bytes, 'base64')]);
    }
  };
  it('Resize to the shorter side, with a limit of the longer one', () => {
    check('shortSide', (x, [side, limit]) => new T.Resize(side, limit === null ? {} : { maxSize: limit })(x));
  });
  it('CenterCrop, of larger and smaller pictures', () => {
    check('centerCrop', (x, [size]) => new T.CenterCrop(size)(x));
  });
  it('steps of automatic augmentation', () => {
    check('augment', (x, [name, magnitude]) => applyStep(x, { name, magnitude }));
  });
  it('ToTensor and Normalize, one by one and in one table', () => {
    const x = picture(4, 5, 3);
    const plain = new T.ToTensor()(x);
    expect([plain.shape, plain.dtype]).toEqual([[3, 4, 5], 'float32']);
    expect(firstWrong(numbers(plain), want.floats.toTensor, 0, 0)).toBeNull();
    const both = new T.Compose([new T.ToTensor(), new T.Normalize(MEAN, STD)])(x);
    expect(firstWrong(numbers(both), want.floats.normalize, 0, 3e-7)).toBeNull();
  });
  it('the pairs of AutoAugment', () => {
    for (const [policy, pairs] of Object.entries(want.policies))
      expect(
        POLICIES[policy as 'svhn'].map(p => p.map(s => s.split(' ').map((v, i) => (i ? Number(v) : v)))),
      ).toEqual(pairs.map(p => p.map(([name, prob, bin]) => [name, prob, bin ?? 0])));
  });
  it('the strengths of AutoAugment, RandAugment and TrivialAugment', () => {
    const size = { height: 32, width: 48 };
    const spaces = [
      ['auto', 10, autoMagnitudes],
      ['rand', 31, autoMagnitudes],
      ['trivial', 31, wideMagnitudes],
    ] as const;
    for (const [space, bins, of] of spaces)
      for (const [name, [values, signed]] of Object.entries(want.spaces[space])) {
        const own = of(name as AugmentName, bins, size);
        const got = values.map((_, i) => own.at(i));
        expect([space, name, firstWrong(got, values, 0, 2e-5), own.signed]).toEqual([
          space,
          name,
          null,
          signed,
        ]);
      }
  });
});

describe('the pipelines of the notes', () => {
  it('training: crop, flip, rotation, jitter, tensor, normalisation', () => {
    const dataTransform = new T.Compose([
      new T.RandomResizedCrop(224),
      new T.RandomHorizontalFlip(),
      new T.RandomRotation(15),
      new T.ColorJitter({ brightness: 0.2, contrast: 0.2 }),
      new T.ToTensor(),
      new T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]);
    manualSeed(3);
    const x = picture(60, 80, 3);
    const a: Tensor = dataTransform(x);
    const b = dataTransform(x);
    expect([a.shape, a.dtype]).toEqual([[3, 224, 224], 'float32']);
    expect(numbers(a)).not.toEqual(numbers(b));
    manualSeed(3);
    expect(numbers(dataTransform(x))).toEqual(numbers(a));
    expect(dataTransform.random).toBe(true);
  });
  it('evaluation: resize, centre, tensor, normalisation; nothing is drawn', () => {
    const valTransforms = new T.Compose([
      new T.Resize(256),
      new T.CenterCrop(224),
      new T.ToTensor(),
      new T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]);
    const g = new Generator(1);
    const x = picture(60, 80, 3);
    const a = valTransforms(x, g);
    expect(a.shape).toEqual([3, 224, 224]);
    expect(numbers(valTransforms(x, g))).toEqual(numbers(a));
    expect([g.calls, valTransforms.random]).toEqual([0, false]);
  });
  it('MNIST: tensor and normalisation by its own mean and deviation', () => {
    const transform = new T.Compose([new T.ToTensor(), new T.Normalize([0.1307], [0.3081])]);
    const x = transform(new Image(Uint8Array.from([0, 255, 51, 102]), 2, 2, 1));
    expect(firstWrong(numbers(x), [-0.4242, 2.8215, 0.2249, 0.874], 0, 1e-4)).toBeNull();
  });
});

describe('draws', () => {
  const kinds = [
    new T.RandomCrop(16, { padding: 4 }),
    new T.RandomResizedCrop(16),
    new T.RandomRotation(40),
    new T.RandomAffine(20, { translate: [0.2, 0.2], scale: [0.7, 1.3], shear: [-10, 10, -5, 5] }),
    new T.ColorJitter({ brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.3 }),
    new T.AutoAugment({ policy: 'cifar10' }),
    new T.AutoAugment(),
    new T.RandAugment(),
    new T.TrivialAugmentWide(),
    new T.RandomApply([new T.RandomInvert(1)]),
    new T.RandomChoice([new T.RandomInvert(1), new T.RandomSolarize(100, 1), new T.RandomPosterize(2, 1)]),
  ];
  it.each(kinds.map(t => [t.title, t] as const))('%s repeats for a seed, and differs for others', (_, t) => {
    const x = picture(20, 24, 3);
    const run = (seed: number) => hex(t(x, new Generator(seed)));
    const seen = Array.from({ length: 30 }, (_, seed) => run(seed));
    expect(seen).toEqual(Array.from({ length: 30 }, (_, seed) => run(seed)));
    expect(new Set(seen).size).toBeGreaterThan(1);
    expect(t.random).toBe(true);
  });
  it('happen with the probability that was asked for', () => {
    const x = picture(2, 3, 3);
    for (const [make, p] of [
      [(p: number) => new T.RandomHorizontalFlip(p), 0.3],
      [(p: number) => new T.RandomVerticalFlip(p), 0.8],
      [(p: number) => new T.RandomGrayscale(p), 0.1],
    ] as const) {
      const t = make(p);
      const changed = Array.from({ length: 2000 }, (_, i) => hex(t(x, new Generator(i))) !== hex(x));
      const share = changed.filter(Boolean).length / changed.length;
      // Four deviations of a share of 2000.
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 2000));
      expect(hex(make(0)(x))).toBe(hex(x));
      expect(hex(make(1)(x))).not.toBe(hex(x));
    }
  });
  it('reach every place of a crop, none more often', () => {
    const x = new Image(
      Uint8Array.from({ length: 36 }, (_, i) => i),
      6,
      6,
      1,
    );
    const t = new T.RandomCrop(4);
    const corners = Array.from({ length: 1800 }, (_, i) => t(x, new Generator(i)).data[0]!);
    const counts = new Map<number, number>();
    for (const c of corners) counts.set(c, (counts.get(c) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 6, 7, 8, 12, 13, 14]);
    for (const n of counts.values()) expect(Math.abs(n - 200)).toBeLessThan(60);
  });
  it('of RandomResizedCrop take shares and forms from their ranges', () => {
    // Each pixel tells its place: what comes out tells which part it was.
    const ramp = new Image(new Uint8Array(100 * 100 * 3), 100, 100, 3);
    for (let y = 0; y < 100; y++) for (let i = 0; i < 100; i++) ramp.data.set([i, y, 0], (y * 100 + i) * 3);
    const t = new T.RandomResizedCrop(10, { scale: [0.2, 0.5], ratio: [0.5, 2], interpolation: 'nearest' });
    for (let seed = 0; seed < 200; seed++) {
      const { data } = t(ramp, new Generator(seed));
      const width = ((data[27]! - data[0]!) * 10) / 9;
      const height = ((data[271]! - data[1]!) * 10) / 9;
      expect((width * height) / 10_000).toBeGreaterThan(0.17);
      expect((width * height) / 10_000).toBeLessThan(0.54);
      expect(width / height).toBeGreaterThan(0.44);
      expect(width / height).toBeLessThan(2.25);
    }
  });
  it('of AlexNet: a part of the resized picture, mirrored, all its colours shifted alike', () => {
    const transform = new T.Compose([
      new T.Resize(256),
      new T.RandomCrop(224),
      new T.RandomHorizontalFlip(),
      new T.Lighting(),
    ]);
    const x = new Image(new Uint8Array(30 * 40 * 3).fill(120), 30, 40, 3);
    const shifts = Array.from({ length: 300 }, (_, seed) => {
      const y = transform(x, new Generator(seed));
      expect([y.height, y.width]).toEqual([224, 224]);
      const colour = [...y.data.subarray(0, 3)];
      expect(y.data.every((v, i) => v === colour[i % 3])).toBe(true);
      return colour.map(v => v - 120);
    });
    // √Σ (pₖ λₖ · 0.1)² · 255 for each channel
    for (const [c, want] of [3.17, 3.22, 3.25].entries()) {
      const values = shifts.map(s => s[c]!);
      expect(Math.abs(values.reduce((a, b) => a + b, 0) / 300)).toBeLessThan(0.8);
      const deviation = Math.sqrt(values.reduce((a, b) => a + b * b, 0) / 300);
      expect(Math.abs(deviation / want - 1)).toBeLessThan(0.2);
    }
    expect(() => new T.Lighting()(picture(2, 2, 1))).toThrow(
      'shiftColours: the picture must have 3 channels, got 1',
    );
  });
  it('of a Lambda come from the sample, too', () => {
    const t = new T.Lambda((_: Image, random: Generator) => random.key(0).join());
    expect(t(picture(2, 2, 3), new Generator(4))).toBe(t(picture(2, 2, 3), new Generator(4)));
    expect(t(picture(2, 2, 3), new Generator(4))).not.toBe(t(picture(2, 2, 3), new Generator(5)));
    expect([t.random, new T.Lambda((x: Image) => x).random]).toEqual([true, false]);
  });
});

describe('masks and boxes', () => {
  /** A white rectangle on black, a mask of it, a box around it. */
  const marked = (height = 40, width = 60) => {
    const [x1, y1, x2, y2] = [22, 14, 40, 26];
    const image = new Image(new Uint8Array(height * width * 3), height, width, 3);
    const mask = new Mask(new Uint8Array(height * width), height, width);
    for (let y = y1; y < y2; y++)
      for (let x = x1; x < x2; x++) {
        image.data.fill(255, (y * width + x) * 3, (y * width + x) * 3 + 3);
        mask.data[y * width + x] = 7;
      }
    return { image, target: { mask, boxes: new BoundingBoxes([[x1, y1, x2, y2]], image) }, label: 3n };
  };
  /** The box around bytes above half. */
  const around = (x: Image | Mask, least: number): number[] => {
    const at = [...x.data.entries()].filter(([, v]) => v >= least).map(([i]) => Math.trunc(i / x.channels));
    const [xs, ys] = [at.map(i => i % x.width), at.map(i => Math.trunc(i / x.width))];
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
  };
  it.each([
    ['Resize', new T.Resize([80, 90]), 1],
    ['Resize short side', new T.Resize(20), 1],
    ['Pad', new T.Pad([3, 7]), 0],
    ['CenterCrop', new T.CenterCrop([36, 50]), 0],
    ['CenterCrop that cuts', new T.CenterCrop([10, 12]), 0],
    ['RandomCrop', new T.RandomCrop([36, 50], { padding: 4 }), 0],
    ['RandomResizedCrop', new T.RandomResizedCrop(50, { scale: [0.6, 1] }), 1.6],
    ['RandomHorizontalFlip', new T.RandomHorizontalFlip(1), 0],
    ['RandomVerticalFlip', new T.RandomVerticalFlip(1), 0],
    ['RandomRotation of a quarter', new T.RandomRotation([90, 90], { expand: true }), 0],
    ['RandomAffine shift', new T.RandomAffine(0, { translate: [0.2, 0.2] }), 0.5],
    ['RandomAffine scale', new T.RandomAffine(0, { scale: [0.6, 1.3] }), 1],
    ['RandomRotation', new T.RandomRotation(10, { interpolation: 'bilinear' }), 2],
    ['RandomAffine', new T.RandomAffine(10, { shear: 8, interpolation: 'bilinear' }), 2],
    ['AutoAugment svhn', new T.AutoAugment({ policy: 'svhn' }), 3],
  ])('stay on what they mark: %s', (_, t, tolerance) => {
    for (let seed = 0; seed < 12; seed++) {
      const { image, target, label } = t(marked(), new Generator(seed));
      expect(label).toBe(3n);
      expect([target.mask.height, target.boxes.width]).toEqual([image.height, image.width]);
      const box = [...target.boxes.data];
      const ofMask = around(target.mask, 1);
      // AutoAugment changes colours, too: the mask tells where the rectangle is.
      const compare = t instanceof T.AutoAugment ? [ofMask] : [ofMask, around(image, 128)];
      for (const found of compare)
        box.forEach((v, i) => {
          expect(Math.abs(v - found[i]!), `seed ${seed}: ${box} and ${found}`).toBeLessThanOrEqual(tolerance);
        });
      // A mask's classes are never mixed.
      expect([...new Set(target.mask.data)].every(v => v === 0 || v === 7)).toBe(true);
    }
  });
  it('pass where colours change', () => {
    const sample = marked();
    const jitter = new T.ColorJitter({ brightness: [0.2, 0.3] })(sample, new Generator(1));
    expect(jitter.target.mask).toBe(sample.target.mask);
    expect(jitter.target.boxes).toBe(sample.target.boxes);
    expect(Math.max(...jitter.image.data)).toBeLessThan(100);
  });
  it('become tensors at the end, and only the picture is normalised', () => {
    const pipeline = new T.Compose([
      new T.Resize([20, 30]),
      new T.ToTensor(),
      new T.Normalize([0.5], [0.5]),
      new T.RandomErasing({ p: 1, value: 9 }),
    ]);
    const { image, target } = pipeline(marked(), new Generator(0));
    expect([image.shape, image.dtype]).toEqual([[3, 20, 30], 'float32']);
    expect(Math.min(...numbers(image))).toBe(-1);
    expect(Math.max(...numbers(image))).toBe(9);
    expect([target.mask.shape, target.mask.dtype]).toEqual([[20, 30], 'int64']);
    expect(new Set(numbers(target.mask))).toEqual(new Set([0, 7]));
    expect([target.boxes.shape, numbers(target.boxes)]).toEqual([
      [1, 4],
      [11, 7, 20, 13],
    ]);
  });
  it('formats of boxes', () => {
    const b = new BoundingBoxes([10, 20, 30, 60], { height: 100, width: 100 });
    expect([...b.to('XYWH').data]).toEqual([10, 20, 20, 40]);
    expect([...b.to('CXCYWH').data]).toEqual([20, 40, 20, 40]);
    expect([...b.to('CXCYWH').to('XYXY').data]).toEqual([10, 20, 30, 60]);
    const flipped = new T.RandomHorizontalFlip(1)([picture(100, 100, 3), b.to('XYWH')]);
    expect([...(flipped[1] as BoundingBoxes).data]).toEqual([70, 20, 20, 40]);
  });
  it('of different sizes are an error', () => {
    expect(() => new T.RandomHorizontalFlip()([picture(4, 4, 3), new Mask(new Uint8Array(6), 2, 3)])).toThrow(
      'RandomHorizontalFlip: picture, masks and boxes of a sample must have one size, got (4, 4) and (2, 3)',
    );
  });
});

describe('tensors', () => {
  it('Normalize takes batches, and keeps integers and boxes', () => {
    const x = tensor([0, 1, 2, 3, 4, 5, 6, 7], { shape: [2, 2, 1, 2] });
    const [y, label, boxes] = new T.Normalize([1, 2], [2, 4])([x, tensor([1n]), tensor([[1, 2, 3, 4]])]);
    expect(numbers(y!)).toEqual([-0.5, 0, 0, 0.25, 1.5, 2, 1, 1.25]);
    expect([numbers(label!), numbers(boxes!)]).toEqual([[1], [1, 2, 3, 4]]);
  });
  it('RandomErasing overwrites one rectangle of the area and form that were asked for', () => {
    const x = new Image(new Uint8Array(40 * 50 * 3).fill(255), 40, 50, 3).toTensor();
    const t = new T.RandomErasing({ p: 1, scale: [0.1, 0.2], ratio: [0.5, 2], value: [5, 6, 7] });
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const y = numbers(t(x, new Generator(seed)));
      const at = y.slice(0, 2000).flatMap((v, i) => (v === 5 ? [i] : []));
      const [xs, ys] = [at.map(i => i % 50), at.map(i => Math.trunc(i / 50))];
      const [w, h] = [Math.max(...xs) - Math.min(...xs) + 1, Math.max(...ys) - Math.min(...ys) + 1];
      expect(at.length).toBe(w * h);
      expect(at.length / 2000).toBeGreaterThan(0.08);
      expect(at.length / 2000).toBeLessThan(0.23);
      expect(y.filter(v => v === 6).length).toBe(at.length);
      expect(y.filter(v => v === 7).length).toBe(at.length);
      seen.add(`${Math.min(...xs)} ${Math.min(...ys)}`);
    }
    expect(seen.size).toBeGreaterThan(20);
    const noise = numbers(new T.RandomErasing({ p: 1, value: 'random' })(x, new Generator(1)));
    const drawn = noise.filter(v => v !== 1);
    expect(Math.abs(drawn.reduce((a, b) => a + b, 0) / drawn.length)).toBeLessThan(0.2);
    expect(numbers(new T.RandomErasing({ p: 0 })(x))).toEqual(numbers(x));
  });
  it('MixUp mixes neighbours and their labels by one share', () => {
    const x = tensor([1, 10, 100], { shape: [3, 1, 1, 1] });
    const mix = new T.MixUp({ numClasses: 4, alpha: 0.4 });
    const [mixed, y] = mix([x, tensor([0n, 1n, 3n])], new Generator(2));
    const shares = numbers(y!);
    const share = shares[0]!;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
    const other = 1 - share;
    // Row 0 with row 2, 1 with 0, 2 with 1.
    const want = [share, 0, 0, other, other, share, 0, 0, 0, other, 0, share];
    expect(firstWrong(shares, want, 0, 1e-6)).toBeNull();
    const pixels = [share + 100 * other, 10 * share + other, 100 * share + 10 * other];
    expect(firstWrong(numbers(mixed!), pixels, 1e-6, 0)).toBeNull();
  });
  it('CutMix pastes a rectangle of the neighbour and shares labels by area', () => {
    const x = tensor(Float32Array.from({ length: 2 * 3 * 12 * 16 }, (_, i) => (i < 576 ? 0 : 1))).reshape(
      2,
      3,
      12,
      16,
    );
    const areas: number[] = [];
    for (let seed = 0; seed < 60; seed++) {
      const [mixed, y] = new T.CutMix({ numClasses: 2 })([x, tensor([0n, 1n])], new Generator(seed));
      const first = numbers(mixed!).slice(0, 192);
      const pasted = first.filter(v => v === 1).length;
      expect(
        numbers(mixed!)
          .slice(576, 768)
          .filter(v => v === 0).length,
      ).toBe(pasted);
      expect(
        firstWrong(numbers(y!), [1 - pasted / 192, pasted / 192, pasted / 192, 1 - pasted / 192], 0, 1e-6),
      ).toBeNull();
      const at = first.flatMap((v, i) => (v === 1 ? [i] : []));
      const [xs, ys] = [at.map(i => i % 16), at.map(i => Math.trunc(i / 16))];
      if (pasted > 0)
        expect((Math.max(...xs) - Math.min(...xs) + 1) * (Math.max(...ys) - Math.min(...ys) + 1)).toBe(
          pasted,
        );
      areas.push(pasted / 192);
    }
    expect(Math.max(...areas)).toBeGreaterThan(0.6);
    expect(areas.filter(a => a > 0).length).toBeGreaterThan(30);
  });
  it('the share of MixUp follows Beta(α, α)', () => {
    const batch = [tensor([0, 1], { shape: [2, 1, 1, 1] }), tensor([0n, 1n])];
    for (const alpha of [0.2, 1, 4]) {
      const t = new T.MixUp({ numClasses: 2, alpha });
      const shares = Array.from({ length: 400 }, (_, s) =>
        (t(batch, new Generator(s))[1] as Tensor).at(0, 0).itemSync(),
      );
      const mean = shares.reduce((a, b) => a + b, 0) / 400;
      const variance = shares.reduce((a, b) => a + (b - mean) ** 2, 0) / 400;
      const wanted = 1 / (4 * (2 * alpha + 1));
      expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(wanted / 400));
      expect(Math.abs(variance / wanted - 1)).toBeLessThan(0.3);
    }
  });
  it('mixes a batch of a loader’s collate', () => {
    const mix = new T.CutMix({ numClasses: 10 });
    const samples = [1n, 4n].map(y => [picture(8, 8, 3).toTensor(), y] as const);
    const [x, y] = mix(defaultCollate(samples as never) as unknown as Tensor[], new Generator(1));
    expect([x!.shape, y!.shape]).toEqual([
      [2, 3, 8, 8],
      [2, 10],
    ]);
  });
});

describe('a transform of one’s own', () => {
  /** Swaps red and blue with probability p. */
  class SwapColours extends T.Transform {
    readonly random = true;
    readonly p: number;
    constructor(p: number) {
      super();
      this.p = p;
    }
    override run(sample: Image, draw: { chance(p: number): boolean }): Image {
      if (!draw.chance(this.p)) return sample;
      const [w, h] = [sample.width, sample.height];
      const data = sample.data.map((_, i) => sample.data[i + [2, 0, -2][i % 3]!]!);
      return sample.with(data, h, w);
    }
  }
  it('is a class with run, and called and composed like the others', () => {
    const x = new Image(Uint8Array.from([1, 2, 3]), 1, 1, 3);
    const swap = new SwapColours(1);
    expect([...swap(x).data]).toEqual([3, 2, 1]);
    expect([...new T.Compose([swap, swap])(x).data]).toEqual([1, 2, 3]);
    expect([swap.title, swap instanceof SwapColours, new T.Compose([swap]).random]).toEqual([
      'SwapColours',
      true,
      true,
    ]);
    const often = new SwapColours(0.5);
    const seen = Array.from({ length: 200 }, (_, i) => often(x, new Generator(i)).data[0]);
    expect(seen.filter(v => v === 3).length).toBeGreaterThan(70);
    expect(seen.filter(v => v === 1).length).toBeGreaterThan(70);
  });
});

describe('pictures', () => {
  it('go to tensors and back', () => {
    for (const channels of [1, 3, 4]) {
      const x = picture(5, 7, channels);
      const back = Image.from(x.toTensor());
      expect([back.height, back.width, back.channels, hex(back)]).toEqual([5, 7, channels, hex(x)]);
    }
    expect([
      ...Image.from(
        tensor([
          [0, 0.5],
          [1.2, -3],
        ]),
      ).data,
    ]).toEqual([0, 128, 255, 0]);
    expect(() => Image.from(tensor([1, 2]))).toThrow('Image.from: a picture has shape (C, H, W)');
  });
  it('RGB gives three channels', () => {
    expect([...new T.RGB()(new Image(Uint8Array.from([9]), 1, 1, 1)).data]).toEqual([9, 9, 9]);
    expect([...new T.RGB()(new Image(Uint8Array.from([1, 2, 3, 200]), 1, 1, 4)).data]).toEqual([1, 2, 3]);
  });
});

describe('errors say what to do', () => {
  const x = picture(8, 8, 3);
  it.each([
    [
      () => new T.Resize(8)(x.toTensor()),
      'Resize: the sample must hold an Image, got a tensor. put it before ToTensor',
    ],
    [() => new T.Normalize(MEAN, STD)(x), 'Normalize: the sample must hold a floating tensor (…, C, H, W)'],
    [
      () => new T.Compose([new T.Grayscale(), new T.ToTensor(), new T.Normalize(MEAN, STD)])(x),
      'Normalize: 3 means and deviations need 3 channels, got (1, 8, 8)',
    ],
    [() => new T.Normalize([0.5], [0]), 'Normalize: std must be > 0, got [0]'],
    [
      () => new T.RandomCrop(20)(x),
      'RandomCrop: the picture with its padding must be at least (20, 20), got (8, 8). resize first',
    ],
    [() => new T.Resize(0), 'Resize: size must be an integer >= 1 or [height, width], got 0'],
    [
      () => new T.Resize([4, 4], { maxSize: 9 }),
      'Resize: maxSize must be above size, a single number, got 9',
    ],
    [
      () => new T.Resize(4, { interpolation: 'cubic' as 'box' }),
      'Resize: interpolation must be one of nearest',
    ],
    [() => new T.RandomHorizontalFlip(1.5), 'RandomHorizontalFlip: p must be in 0 … 1, got 1.5'],
    [() => new T.RandomRotation(-3), 'RandomRotation: degrees must be >= 0, or [low, high], got -3'],
    [
      () => new T.RandomResizedCrop(9, { scale: [1, 0.5] }),
      'RandomResizedCrop: scale must be two numbers [low, high]',
    ],
    [() => new T.ColorJitter({ hue: 0.7 }), 'ColorJitter: hue must be in 0 … 0.5'],
    [() => new T.ColorJitter({ brightness: -1 }), 'ColorJitter: brightness must be >= 0'],
    [() => new T.Pad(-1), 'Pad: padding must be 1, 2 or 4 integers >= 0, got -1'],
    [() => new T.Pad(1, { fill: [1, 2] })(x), 'crop: fill must have a number for each channel, got 2 for 3'],
    [
      () => new T.Compose([new T.ToTensor(), (() => 1) as never]),
      'Compose: it takes a list of transforms, got',
    ],
    [
      () => new T.RandAugment({ magnitude: 40 }),
      'RandAugment: magnitude must be an integer in 0 … 30, got 40',
    ],
    [
      () => new T.AutoAugment({ policy: 'mnist' as 'svhn' }),
      'AutoAugment: policy must be one of imagenet, cifar10, svhn',
    ],
    [
      () => new T.MixUp({ numClasses: 3 })(x),
      'MixUp: it takes a batch [x, y] of pictures and classes, got Image',
    ],
    [
      () => new T.CutMix({ numClasses: 3 })([x.toTensor(), tensor([1n])]),
      'CutMix: x must be (B, C, H, W) and y integers (B), got (3, 8, 8) and int64 (1)',
    ],
    [
      () => new Image(new Uint8Array(5), 2, 2, 1),
      'Image: it takes height · width · channels bytes, got 5 for (2, 2, 1)',
    ],
    [
      () => new BoundingBoxes([1, 2, 3], x),
      'BoundingBoxes: a box has four numbers, as XYXY, XYWH or CXCYWH, got 3',
    ],
  ])('%#', (run, text) => {
    expect(run).toThrow(text);
  });
});
