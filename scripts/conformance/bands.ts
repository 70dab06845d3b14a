// Trainings with our own random numbers: the mean result over three seeds must lie in PyTorch's band, or beyond it on
// the good side.

import { Adam, compile, F, manualSeed, nn, noGrad, randperm, SGD, type Tensor } from '../../src/index.ts';
import { Mismatch, Missing } from './check.ts';
import { type Case, type Stored, toTensor } from './format.ts';

interface Trained {
  readonly model: nn.Layer;
  readonly optimizer: { zeroGrad(): void; step(): unknown };
}
/** The models of the cases, with their optimizers. */
const RECIPES: Readonly<Record<string, () => Trained>> = {
  digits_logistic_sgd: () => {
    const model = new nn.Linear(64, 10);
    return { model, optimizer: new SGD(model.parameters(), { lr: 0.1 }) };
  },
  digits_mlp_adam: () => {
    const model = new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 10));
    return { model, optimizer: new Adam(model.parameters(), { lr: 1e-3 }) };
  },
};
const SEEDS = [1, 2, 3];

export function runBand(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const recipe = RECIPES[c.op];
  if (recipe === undefined) throw new Missing(`band: there is no recipe ${c.op} yet`);
  const x = toTensor(stored.get(c.data['x']!)!).float().div(16).flatten(1).realize(); // (1797, 64)
  const y = toTensor(stored.get(c.data['y']!)!);
  const results = SEEDS.map(seed => {
    manualSeed(seed);
    return trainDigits(recipe(), x, y);
  });
  const mean = results.reduce((a, b) => a + b, 0) / results.length;
  const [low, high] = c.band;
  if (c.higher_is_better ? mean < low : mean > high)
    throw new Mismatch(`${results.join(', ')}: mean ${mean}, wants ${low} … ${high}`);
}

/** The first 1200 digits in batches of 32, 30 times in another order; the accuracy on the rest. */
function trainDigits({ model, optimizer }: Trained, x: Tensor, y: Tensor): number {
  const [train, epochs, batch] = [1200, 30, 32];
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const rows of randperm(train).split(batch)) step(x.indexSelect(0, rows), y.indexSelect(0, rows));
  }
  const rest = x.shape[0]! - train;
  const right = noGrad(() =>
    model(x.narrow(0, train, rest))
      .argmax(1)
      .eq(y.narrow(0, train, rest))
      .sum(),
  );
  return right.itemSync() / rest;
}
