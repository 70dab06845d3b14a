// What a classifier takes for what, picture by picture.
// In: a model and a data set of pictures. Out: the confusion matrix, and the pictures in each of its cells by name.

import { ShapeError, showShape } from '../base/errors.ts';
import { DataLoader } from '../data/index.ts';
import type { Layer } from '../nn/index.ts';
import { noGrad } from '../tensor/modes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ImageDataset } from './datasets/image-dataset.ts';

/** A picture that was taken for another class. */
export interface Mistake {
  readonly index: number;
  /** Its file, or its place in the set. */
  readonly title: string;
  readonly truth: number;
  readonly predicted: number;
  /** What the model gives the class that it chose. */
  readonly probability: number;
}
export interface Mistakes {
  readonly classes: readonly string[];
  /** How often each class (row) was taken for each (column). */
  readonly matrix: readonly (readonly number[])[];
  /** All wrong ones, those the model was surest of first. */
  readonly mistakes: readonly Mistake[];
  readonly accuracy: number;
}

/** Runs the model in eval mode over a set whose pictures its transform makes tensors; softmax over the outputs (N, classes). */
export async function mistakes(
  model: Layer,
  data: ImageDataset<Tensor>,
  options: { readonly batchSize?: number } = {},
): Promise<Mistakes> {
  const { classes, source, targets } = data;
  const matrix = classes.map(() => classes.map(() => 0));
  const wrong: Mistake[] = [];
  const wasTraining = model.training;
  model.eval();
  let index = 0;
  for await (const [x] of new DataLoader(data, { batchSize: options.batchSize ?? 250 })) {
    const p = noGrad(() => model(x)).softmax(1);
    if (p.ndim !== 2 || p.shape[1] !== classes.length)
      throw new ShapeError(
        'mistakes',
        `the model must give (N, ${classes.length}), a number for each class`,
        showShape(p.shape),
        '',
      );
    const best = p.max(1);
    const [shares, places] = [await best.values.data(), await best.indices.data()];
    for (const [k, share] of shares.entries()) {
      const [truth, predicted] = [targets[index]!, Number(places[k])];
      matrix[truth]![predicted]!++;
      if (truth !== predicted)
        wrong.push({ index, title: source.title(index), truth, predicted, probability: Number(share) });
      index++;
    }
  }
  model.train(wasTraining);
  wrong.sort((a, b) => b.probability - a.probability);
  return { classes, matrix, mistakes: wrong, accuracy: 1 - wrong.length / Math.max(1, index) };
}
