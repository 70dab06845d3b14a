// A multi-layer perceptron from plain tensors, and how it learns to classify points: the code of mission 1.
// In: sizes and data. Out: a trained network and what happened on the way.

import {
  compile,
  F,
  noGrad,
  randn,
  randperm,
  type Samples,
  SGD,
  type Tensor,
  tensor,
  zeros,
} from '../../index.ts';
import type { Metrics, Progress } from './recipe.ts';

/** One linear layer: weight (out, in) and bias (out). */
export interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
}
/**
 * How weights begin. he: normal with std √(2 / fan in), which keeps the size of what flows through ReLU layers
 * (He et al. 2015, https://arxiv.org/abs/1502.01852). small: normal with std .1. Biases begin at 0.
 */
export const INITS = ['he', 'small'] as const;
export type Init = (typeof INITS)[number];

/** Layers between these sizes: [2, 4, 4, 2] gives 2 → 4 → 4 → 2. */
export function makeMlp(sizes: readonly number[], init: Init): Layer[] {
  return sizes.slice(1).map((out, i) => {
    const fanIn = sizes[i]!;
    const std = init === 'he' ? Math.sqrt(2 / fanIn) : 0.1;
    const weight = randn([out, fanIn]).mul(std).realize().requiresGrad_();
    return { weight, bias: zeros(out, { requiresGrad: true }) };
  });
}

/** The same numbers in tensors of their own. */
export const copyMlp = (layers: readonly Layer[]): Layer[] =>
  layers.map(({ weight, bias }) => ({
    weight: weight.detach().clone().realize().requiresGrad_(),
    bias: bias.detach().clone().realize().requiresGrad_(),
  }));

/** What each layer gives: ReLU after every layer but the last, whose numbers are the logits. x (m, in). */
export function activations(layers: readonly Layer[], x: Tensor): Tensor[] {
  const out: Tensor[] = [];
  for (const [i, { weight, bias }] of layers.entries()) {
    const z = F.linear(out[i - 1] ?? x, weight, bias); // (m, out)
    out.push(i < layers.length - 1 ? z.relu() : z);
  }
  return out;
}
/** Logits (m, classes). */
export const forward = (layers: readonly Layer[], x: Tensor): Tensor => activations(layers, x).at(-1)!;
/** Probabilities (m, classes): rows of sum 1. */
export const probabilities = (layers: readonly Layer[], x: Tensor): Tensor =>
  noGrad(() => forward(layers, x).softmax(1));

export interface TrainOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** The learning rate goes from `lr` to `finalLr` along a cosine. */
  readonly lr: number;
  readonly finalLr: number;
  readonly momentum?: number;
  readonly progress?: Progress;
}
/** Loss and accuracy on both parts after each epoch. */
export interface History {
  readonly trainLoss: number[];
  readonly trainAccuracy: number[];
  readonly testLoss: number[];
  readonly testAccuracy: number[];
}

/** Mini-batch gradient descent on the cross-entropy. The test part is only looked at, never learned from. */
export async function trainClassifier(
  layers: readonly Layer[],
  train: Samples,
  test: Samples,
  { epochs, batchSize, lr, finalLr, momentum = 0, progress }: TrainOptions,
): Promise<History> {
  const optimizer = new SGD(
    layers.flatMap(l => [l.weight, l.bias]),
    { lr, momentum },
  );
  const step = compile((x: Tensor, y: Tensor, rows: Tensor) => {
    optimizer.zeroGrad();
    const logits = forward(layers, x.indexSelect(0, rows));
    const loss = F.crossEntropy(logits, y.indexSelect(0, rows));
    loss.backward();
    optimizer.step();
    return loss;
  });
  const evaluate = compile((x: Tensor, y: Tensor) => {
    const logits = noGrad(() => forward(layers, x));
    return { loss: F.crossEntropy(logits, y), accuracy: logits.argmax(1).eq(y).to('float32').mean() };
  });

  const history: History = { trainLoss: [], trainAccuracy: [], testLoss: [], testAccuracy: [] };
  const n = train.y.numel;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const way = epochs > 1 ? epoch / (epochs - 1) : 1;
    optimizer.paramGroups[0]!.lr = finalLr + ((lr - finalLr) * (1 + Math.cos(Math.PI * way))) / 2;
    const order = await randperm(n).data(); // another order in every epoch
    for (let at = 0; at < n; at += batchSize) {
      step(train.x, train.y, tensor(order.subarray(at, at + batchSize)));
    }
    const [onTrain, onTest] = [evaluate(train.x, train.y), evaluate(test.x, test.y)];
    history.trainLoss.push(await onTrain.loss.item());
    history.trainAccuracy.push(await onTrain.accuracy.item());
    history.testLoss.push(await onTest.loss.item());
    history.testAccuracy.push(await onTest.accuracy.item());
    progress?.(epoch + 1, epochs, lastOf(history));
  }
  return history;
}
/** The numbers after the last epoch: no better earlier one is picked. */
export const lastOf = (history: History): Metrics =>
  Object.fromEntries(Object.entries(history).map(([name, values]) => [name, values.at(-1)!]));
