// Trainings step by step: the model of the case in TypeScript from PyTorch's weights, every loss and the final weights
// against PyTorch's.

import { Adam, F, nn, type Tensor } from '../../src/index.ts';
import { compare, Mismatch, Missing } from './check.ts';
import { type Case, type Stored, toTensor } from './format.ts';

type Named = Record<string, Tensor>;
interface Training {
  readonly model: () => nn.Module;
  /** The losses before each step, and what the trained model gives. */
  readonly run: (model: nn.Module, data: Named, steps: number) => { losses: number[]; outputs: Named };
}

class LeNet extends nn.Module {
  readonly conv1 = new nn.Conv2d(1, 6, 3, { padding: 1 });
  readonly conv2 = new nn.Conv2d(6, 8, 3);
  readonly fc1 = new nn.Linear(8, 16);
  readonly fc2 = new nn.Linear(16, 10);
  forward(x: Tensor): Tensor {
    x = F.maxPool2d(this.conv1(x).relu(), 2);
    x = F.maxPool2d(this.conv2(x).relu(), 2);
    return this.fc2(this.fc1(x.flatten(1)).relu());
  }
}

const TRAININGS: Readonly<Record<string, Training>> = {
  'train/lenet_adam': {
    model: () => new LeNet(),
    run: (model, { x, y }, steps) => {
      const net = model as LeNet;
      const optimizer = new Adam(net.parameters(), { lr: 0.01 });
      const losses = Array.from({ length: steps }, () => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(net(x!), y!);
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      });
      return { losses, outputs: { logits: net(x!) } };
    },
  },
};

export function runTrain(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const training = TRAININGS[c.id];
  if (training === undefined) throw new Missing('train: it needs recurrence, attention or Mamba');
  const load = (keys: Readonly<Record<string, string>>): Named =>
    Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, toTensor(stored.get(key)!)]));
  const model = training.model();
  model.loadStateDict(load(c.state));
  const { losses, outputs } = training.run(model, load(c.data), c.steps as number);
  const { rtol, atol } = c.tolerance;
  losses.forEach((got, i) => {
    const want = c.losses[i]!;
    if (!(Math.abs(got - want) <= atol + rtol * Math.abs(want)))
      throw new Mismatch(`loss ${i}: ${got}, wants ${want}`);
  });
  const after = model.stateDict();
  for (const [name, key] of Object.entries(c.final_state)) {
    compare(`${name} at the end`, after[name]!, stored.get(key)!, c.final_tolerance);
  }
  for (const [name, key] of Object.entries(c.outputs as Readonly<Record<string, string>>)) {
    compare(name, outputs[name]!, stored.get(key)!, { rtol: 1e-2, atol: 1e-2 });
  }
}
