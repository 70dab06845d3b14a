// Trainings with our own random numbers: the mean result over three seeds must lie in PyTorch's band, or beyond it on
// the good side.

import { makeAdding } from '../../src/data/index.ts';
import {
  Adam,
  compile,
  F,
  manualSeed,
  nn,
  noGrad,
  randperm,
  SGD,
  type Tensor,
  zeros,
} from '../../src/index.ts';
import { Mismatch, Missing } from './check.ts';
import { type Case, type Stored, toTensor } from './format.ts';

interface Trained {
  readonly model: nn.Layer;
  readonly optimizer: { zeroGrad(): void; step(): unknown };
  /** How many times over the digits. */
  readonly epochs: number;
}
/** Rows of a digit as 8 steps of 8 numbers; the last output decides. */
class RowReader extends nn.Module {
  readonly rnn: nn.LSTM | nn.GRU;
  readonly head: nn.Linear;
  constructor(rnn: nn.LSTM | nn.GRU, outputs: number) {
    super();
    this.rnn = rnn;
    this.head = new nn.Linear(rnn.hiddenSize, outputs);
  }
  forward(x: Tensor): Tensor {
    const out = (this.rnn as nn.GRU)(x)[0]; // (N, T, H)
    return this.head(out.select(1, out.shape[1]! - 1));
  }
}
class RowTransformer extends nn.Module {
  readonly inward = new nn.Linear(8, 32);
  readonly pos = new nn.Parameter(zeros([1, 8, 32]));
  readonly encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(32, 4, { dimFeedforward: 64, dropout: 0.1, batchFirst: true }),
    2,
  );
  readonly head = new nn.Linear(32, 10);
  forward(x: Tensor): Tensor {
    return this.head(this.encoder(this.inward(x).add(this.pos)).mean(1));
  }
}
const rows = (model: nn.Layer, lr: number): Trained => ({
  model: new nn.Sequential(new nn.Unflatten(1, [8, 8]), model),
  optimizer: new Adam(model.parameters(), { lr }),
  epochs: 20,
});
/** The models of the cases, with their optimizers. */
const RECIPES: Readonly<Record<string, () => Trained>> = {
  digits_logistic_sgd: () => {
    const model = new nn.Linear(64, 10);
    return { model, optimizer: new SGD(model.parameters(), { lr: 0.1 }), epochs: 30 };
  },
  digits_mlp_adam: () => {
    const model = new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 10));
    return { model, optimizer: new Adam(model.parameters(), { lr: 1e-3 }), epochs: 30 };
  },
  digits_rows_lstm: () => rows(new RowReader(new nn.LSTM(8, 48, { batchFirst: true }), 10), 3e-3),
  digits_rows_gru: () => rows(new RowReader(new nn.GRU(8, 48, { batchFirst: true }), 10), 3e-3),
  digits_rows_transformer: () => rows(new RowTransformer(), 1e-3),
};
const ADDERS: Readonly<Record<string, () => nn.Layer>> = {
  adding_T40_gru: () => new RowReader(new nn.GRU(2, 48, { batchFirst: true }), 1),
  adding_T40_lstm: () => new RowReader(new nn.LSTM(2, 48, { batchFirst: true }), 1),
};
const SEEDS = [1, 2, 3];

export function runBand(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const adder = ADDERS[c.op];
  if (adder !== undefined) {
    inBand(
      c,
      SEEDS.map(seed => {
        manualSeed(seed);
        return trainAdding(adder());
      }),
    );
    return;
  }
  const recipe = RECIPES[c.op];
  if (recipe === undefined) throw new Missing(`band: there is no recipe ${c.op} yet`);
  const x = toTensor(stored.get(c.data['x']!)!).float().div(16).flatten(1).realize(); // (1797, 64)
  const y = toTensor(stored.get(c.data['y']!)!);
  const results = SEEDS.map(seed => {
    manualSeed(seed);
    return trainDigits(recipe(), x, y);
  });
  inBand(c, results);
}
function inBand(c: Case, results: readonly number[]): void {
  const mean = results.reduce((a, b) => a + b, 0) / results.length;
  const [low, high] = c.band;
  if (c.higher_is_better ? mean < low : mean > high)
    throw new Mismatch(`${results.join(', ')}: mean ${mean}, wants ${low} … ${high}`);
}

/** The adding problem over 40 steps, fresh batches of 50, 1000 times; log₁₀ of the squared error on 1000 others. */
function trainAdding(model: nn.Layer): number {
  const optimizer = new Adam(model.parameters(), { lr: 5e-3 });
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(model(x), y);
    loss.backward();
    nn.clipGradNorm_(model.parameters(), 1);
    optimizer.step();
    return loss;
  });
  for (let i = 0; i < 1000; i++) {
    const { x, y } = makeAdding(50, 40);
    step(x, y);
  }
  const { x, y } = makeAdding(1000, 40);
  return Math.log10(noGrad(() => F.mseLoss(model(x), y)).itemSync());
}
/** The first 1200 digits in batches of 32, many times in another order; the accuracy on the rest. */
function trainDigits({ model, optimizer, epochs }: Trained, x: Tensor, y: Tensor): number {
  const [train, batch] = [1200, 32];
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const of of randperm(train).split(batch)) step(x.indexSelect(0, of), y.indexSelect(0, of));
  }
  model.eval();
  const rest = x.shape[0]! - train;
  const right = noGrad(() =>
    model(x.narrow(0, train, rest))
      .argmax(1)
      .eq(y.narrow(0, train, rest))
      .sum(),
  );
  return right.itemSync() / rest;
}
