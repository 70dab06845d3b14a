// Small networks of the experiments, from parts that can be exchanged.

import { makeMoons, makeSpirals } from '../../data/index.ts';
import { type Samples, trainTestSplit } from '../../index.ts';
import {
  BatchNorm1d,
  Dropout,
  GELU,
  init,
  type Layer,
  LeakyReLU,
  Linear,
  ReLU,
  Sequential,
  Sigmoid,
  Tanh,
} from '../../nn/index.ts';
import type { Parts } from './ways.ts';

export const ACTIVATIONS = {
  relu: () => new ReLU(),
  leaky: () => new LeakyReLU(0.1),
  gelu: () => new GELU(),
  tanh: () => new Tanh(),
  sigmoid: () => new Sigmoid(),
} as const;
export const INITS = {
  he: (w: Linear) => init.kaimingNormal_(w.weight, { nonlinearity: 'relu' }),
  xavier: (w: Linear) => init.xavierNormal_(w.weight),
  small: (w: Linear) => init.normal_(w.weight, 0, 0.01),
  large: (w: Linear) => init.normal_(w.weight, 0, 2),
} as const;

export interface NetOptions {
  readonly activation?: keyof typeof ACTIVATIONS;
  readonly init?: keyof typeof INITS;
  /** Batch normalisation after each hidden linear layer. */
  readonly norm?: boolean;
  readonly dropout?: number;
}
/** Linear layers between these sizes, an activation after each but the last; biases begin at 0. */
export function makeNet(sizes: readonly number[], o: NetOptions = {}): Layer {
  const { activation = 'relu', init: first = 'he', norm = false, dropout = 0 } = o;
  const layers: Layer[] = [];
  for (let i = 1; i < sizes.length; i++) {
    const linear = new Linear(sizes[i - 1]!, sizes[i]!);
    INITS[first](linear);
    init.zeros_(linear.bias!);
    layers.push(linear);
    if (i === sizes.length - 1) break;
    if (norm) layers.push(new BatchNorm1d(sizes[i]!));
    layers.push(ACTIVATIONS[activation]());
    if (dropout > 0) layers.push(new Dropout(dropout));
  }
  return new Sequential(...layers);
}

/** Points for training and points for the test, from one source. */
export function parts(data: Samples, testSize: number): Parts {
  const split = trainTestSplit([data.x, data.y], { testSize });
  const [train, test] = [split.train, split.test].map(([x, y]) => ({ x: x!, y: y! })) as [Samples, Samples];
  return { train, test };
}
export const moons = (n: number, noise: number, testSize = 0.2): Parts =>
  parts(makeMoons(n, { noise }), testSize);
export const spirals = (n: number, noise: number, testSize = 0.2): Parts =>
  parts(makeSpirals(n, { noise }), testSize);
