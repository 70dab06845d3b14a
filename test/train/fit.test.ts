// fit against the loop that one would write by hand, and what stands around it: validation, accumulation, clipping, early
// end, the guard, going on.

import { describe, expect, it } from 'vitest';
import { F, manualSeed, nn, noGrad, randn, SGD, type Tensor, tensor, zeros } from '../../src/index.ts';
import { StepLR } from '../../src/optim/index.ts';
import {
  Accuracy,
  EarlyStopping,
  evaluate,
  type FitOptions,
  fit,
  jsonLog,
  predict,
  type TrainEvent,
  type TrainingState,
} from '../../src/train/index.ts';
import { numbers } from '../support.ts';

type Batch = [Tensor, Tensor];
class Net extends nn.Module {
  readonly fc1 = new nn.Linear(4, 16);
  readonly fc2 = new nn.Linear(16, 3);
  forward(x: Tensor): Tensor {
    return this.fc2(F.dropout(this.fc1(x).relu(), { p: 0.2, training: this.training }));
  }
}
function task(n = 96): { batches: Batch[]; x: Tensor; y: Tensor } {
  manualSeed(1);
  const x = randn([n, 4]).realize();
  const y = x
    .matmul(randn([4, 3]))
    .argmax(1)
    .realize();
  const batches: Batch[] = [];
  for (let at = 0; at < n; at += 20) {
    const size = Math.min(20, n - at);
    batches.push([x.narrow(0, at, size).clone().realize(), y.narrow(0, at, size).clone().realize()]);
  }
  return { batches, x, y };
}
const weights = (m: nn.Module): number[] => m.parameters().flatMap(p => numbers(p));
const make = (seed = 2): { net: Net; optimizer: SGD } => {
  manualSeed(seed);
  const net = new Net();
  return { net, optimizer: new SGD(net.parameters(), { lr: 0.1, momentum: 0.9 }) };
};
const options = (o: Partial<FitOptions<Batch>> & Pick<FitOptions<Batch>, 'optimizer' | 'train'>) => ({
  epochs: 3,
  loss: (output: Tensor, target: Tensor) => F.crossEntropy(output, target),
  ...o,
});

describe('fit', () => {
  it('equals the loop by hand, bit for bit, and lowers the loss', async () => {
    const { batches } = task();
    const [a, b] = [make(), make()];
    manualSeed(3);
    const { history, step } = await fit(
      a.net,
      options({ optimizer: a.optimizer, train: batches, epochs: 4 }),
    );
    manualSeed(3);
    b.net.train();
    const means: number[] = [];
    for (let epoch = 0; epoch < 4; epoch++) {
      let [sum, samples] = [0, 0];
      for (const [x, y] of batches) {
        b.optimizer.zeroGrad();
        const loss = F.crossEntropy(b.net(x), y);
        loss.backward();
        b.optimizer.step();
        sum += (loss.itemSync() as number) * x.shape[0]!;
        samples += x.shape[0]!;
      }
      means.push(sum / samples);
    }
    expect(weights(a.net)).toEqual(weights(b.net));
    expect(history['trainLoss']).toEqual(means);
    expect(step).toBe(20);
    expect(means[3]!).toBeLessThan(means[0]! * 0.8);
  });
  it('measures on validation batches in eval mode, learns nothing from them, and leaves no gradient', async () => {
    const { batches, x, y } = task();
    const { net, optimizer } = make();
    const { history } = await fit(
      net,
      options({
        optimizer,
        train: batches,
        validate: [[x, y]],
        metrics: { accuracy: new Accuracy() },
        epochs: 2,
      }),
    );
    const { loss, accuracy } = await evaluate(net, [[x, y]] as Batch[], {
      loss: F.crossEntropy,
      metrics: { accuracy: new Accuracy() },
    });
    expect(history['valLoss']!.at(-1)).toBeCloseTo(loss!, 6);
    expect(history['valAccuracy']!.at(-1)).toBe(accuracy);
    expect(Object.keys(history)).toEqual(['trainLoss', 'trainAccuracy', 'lr', 'valLoss', 'valAccuracy']);
    const direct = noGrad(() => net.eval()(x));
    const outputs = await predict(net, [[x, y]] as Batch[]);
    expect(numbers(outputs[0]!)).toEqual(numbers(direct));
    expect(accuracy).toBeCloseTo(numbers(direct.argmax(1).eq(y).to('float32').mean())[0]!, 6);
    expect(net.parameters().every(p => p.grad === null)).toBe(true);
  });
  it('averages the gradients of `accumulate` batches', async () => {
    const { x, y } = task(40);
    const whole: Batch[] = [[x, y]];
    const halves: Batch[] = [0, 20].map(at => [x.narrow(0, at, 20).clone(), y.narrow(0, at, 20).clone()]);
    const [a, b] = [make(), make()];
    for (const { net } of [a, b]) net.fc2.registerForwardHook(() => undefined);
    const plain =
      (net: Net) =>
      ([x, y]: Batch) => {
        const output = net.fc2(net.fc1(x).relu());
        return { loss: F.crossEntropy(output, y), output, target: y };
      };
    await fit(a.net, { ...options({ optimizer: a.optimizer, train: whole }), forward: plain(a.net) });
    const r = await fit(b.net, {
      ...options({ optimizer: b.optimizer, train: halves, accumulate: 2 }),
      forward: plain(b.net),
    });
    expect(r.step).toBe(3);
    for (const [i, v] of weights(a.net).entries())
      expect(Math.abs(weights(b.net)[i]! - v)).toBeLessThan(1e-5);
  });
  it('clips: the update of plain SGD is never longer than lr · max', async () => {
    const { batches } = task();
    manualSeed(2);
    const net = new Net();
    const optimizer = new SGD(net.parameters(), { lr: 1 });
    const before = weights(net);
    const norms: number[] = [];
    await fit(net, {
      ...options({ optimizer, train: batches.slice(0, 1), epochs: 1, clipGradNorm: 0.01 }),
      onEvent: e => void (e.kind === 'step' && norms.push(e.gradNorm!)),
    });
    const moved = Math.hypot(...weights(net).map((v, i) => v - before[i]!));
    expect(norms[0]).toBeGreaterThan(0.1);
    expect(moved).toBeCloseTo(0.01, 5);
  });
  it('steps the schedule by epoch or by step', async () => {
    const { batches } = task();
    const rates = async (every: 'epoch' | 'step'): Promise<number[]> => {
      const { net, optimizer } = make();
      const schedule = new StepLR(optimizer, { stepSize: 1, gamma: 0.5 });
      const seen: number[] = [];
      await fit(net, {
        ...options({ optimizer, train: batches.slice(0, 2), epochs: 2 }),
        schedule,
        scheduleEvery: every,
        onEvent: e => void (e.kind === 'step' && seen.push(e.lr)),
      });
      return seen;
    };
    expect(await rates('epoch')).toEqual([0.1, 0.1, 0.05, 0.05]);
    expect(await rates('step')).toEqual([0.1, 0.05, 0.025, 0.0125]);
  });
  it('tells its events in order, as lines of JSON too', async () => {
    const { batches } = task();
    const { net, optimizer } = make();
    const lines: string[] = [];
    const kinds: string[] = [];
    await fit(net, {
      ...options({ optimizer, train: batches.slice(0, 2), epochs: 2 }),
      callbacks: [jsonLog(line => void lines.push(line), { steps: true })],
      onEvent: e => void kinds.push(`${e.kind} ${e.epoch} ${e.step}`),
    });
    expect(kinds).toEqual([
      'start 1 0',
      'step 1 1',
      'step 1 2',
      'epoch 1 2',
      'step 2 3',
      'step 2 4',
      'epoch 2 4',
      'end 2 4',
    ]);
    const parsed = lines.map(l => JSON.parse(l) as TrainEvent);
    expect(parsed.length).toBe(8);
    expect(lines.every(l => l.endsWith('\n'))).toBe(true);
  });
});

describe('early stopping', () => {
  it('ends after `patience` epochs without a better value and puts the best weights back', async () => {
    const { batches, x, y } = task();
    const { net, optimizer } = make();
    // Learning upwards: every epoch is worse than the first.
    optimizer.paramGroups[0]!.maximize = true;
    const after: number[][] = [];
    const { why, history } = await fit(net, {
      ...options({ optimizer, train: batches, validate: [[x, y]], epochs: 50 }),
      callbacks: [new EarlyStopping({ patience: 3, restoreBest: true })],
      onEvent: e => void (e.kind === 'epoch' && after.push(weights(net))),
    });
    expect(why).toBe('early');
    expect(history['valLoss']!.length).toBe(4);
    expect(weights(net)).toEqual(after[0]);
  });
  it('names the metrics that there are', async () => {
    const { batches } = task();
    const { net, optimizer } = make();
    const run = fit(net, { ...options({ optimizer, train: batches }), callbacks: [new EarlyStopping()] });
    await expect(run).rejects.toThrow(/^EarlyStopping: monitor is one of trainLoss, lr, got 'valLoss'/);
  });
});

describe('the guard', () => {
  it.each<[string, (net: Net, batch: Batch) => void, RegExp]>([
    ['input', (_, b) => void b[0].fill_(Number.NaN), /NaN in tensor 0 of the batch at step 1 \(epoch 1\)/],
    [
      'parameter',
      net => void net.fc1.bias!.fill_(Number.POSITIVE_INFINITY),
      /Infinity in parameter fc1.bias/,
    ],
    ['activation', net => void net.fc1.weight.fill_(3e38), /(NaN|Infinity) in the output of fc1 \(Linear\)/],
  ])('names a bad %s, and nothing has been learned', async (_, spoil, message) => {
    const { batches } = task();
    const { net, optimizer } = make();
    const batch: Batch = [batches[0]![0].clone().realize(), batches[0]![1]];
    noGrad(() => spoil(net, batch));
    const before = weights(net);
    const run = fit(net, options({ optimizer, train: [batch] }));
    await expect(run).rejects.toThrow(message);
    expect(weights(net)).toEqual(before);
  });
  it('finds a gradient that is not finite behind a finite loss', async () => {
    manualSeed(2);
    class Root extends nn.Module {
      readonly w = new nn.Parameter(zeros([3]));
      forward(x: Tensor): Tensor {
        return this.w.sqrt().mul(x).sum();
      }
    }
    const net = new Root();
    const run = fit(net, {
      epochs: 1,
      optimizer: new SGD(net.parameters(), { lr: 0.1 }),
      train: [[tensor([1, 2, 3])]],
      forward: ([x]: [Tensor]) => ({ loss: net(x) }),
    });
    await expect(run).rejects.toThrow(/Infinity in the gradient of w at step 1/);
    expect(numbers(net.w)).toEqual([0, 0, 0]);
  });
});

describe('going on', () => {
  /** Batches that can go on in the middle. */
  const resumable = (list: readonly Batch[]) => {
    let at = 0;
    return {
      length: list.length,
      stateDict: () => ({ at }),
      loadStateDict: (s: { at: number }) => {
        at = s.at;
      },
      *[Symbol.iterator](): Generator<Batch> {
        while (at < list.length) yield list[at++]!;
        at = 0;
      },
    };
  };
  it('from any step the rest is the same, bit for bit', async () => {
    const { batches, x, y } = task();
    const run = async (resume: TrainingState | null, stopAt: number) => {
      const { net, optimizer } = make(resume === null ? 2 : 99);
      const schedule = new StepLR(optimizer, { stepSize: 3, gamma: 0.7 });
      const states: TrainingState[] = [];
      const controller = new AbortController();
      if (resume === null) manualSeed(5);
      const result = await fit(net, {
        ...options({ optimizer, train: resumable(batches), validate: [[x, y]], epochs: 3 }),
        metrics: { accuracy: new Accuracy() },
        schedule,
        scheduleEvery: 'step',
        callbacks: [new EarlyStopping({ patience: 9, restoreBest: true })],
        signal: controller.signal,
        onEvent: e => void (e.kind === 'step' && e.step === stopAt && controller.abort()),
        checkpoint: { save: async s => `${states.push(copyState(s))}`, everyEpochs: 100 },
        ...(resume === null ? {} : { resume }),
      });
      return { ...result, weights: weights(net), state: states.at(-1)! };
    };
    const whole = await run(null, Number.NaN);
    expect(whole.step).toBe(15);
    for (const stop of [2, 5, 7, 13]) {
      const part = await run(null, stop);
      expect([part.why, part.step]).toEqual(['interrupted', stop]);
      const rest = await run(part.state, Number.NaN);
      expect(rest.history).toEqual(whole.history);
      expect(rest.weights).toEqual(whole.weights);
    }
  });
});
/** What a file would keep: tensors are copied, the rest is plain data. */
function copyState(s: TrainingState): TrainingState {
  const copy = (v: unknown): unknown => {
    if (v !== null && typeof v === 'object' && 'dataSync' in v)
      return (v as Tensor).detach().clone().realize();
    if (Array.isArray(v)) return v.map(copy);
    if (v !== null && typeof v === 'object')
      return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, copy(x)]));
    return v;
  };
  return copy(s) as TrainingState;
}
