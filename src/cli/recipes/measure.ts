// What a classifier reaches on test data, by the names that every recipe uses.

import { F, type Tensor } from '../../index.ts';
import type { Module } from '../../nn/index.ts';
import { Accuracy, type Batches, ConfusionMatrix, evaluate, type Metric } from '../../train/index.ts';

/** The loss of classifiers. */
export const loss = (logits: Tensor, target: Tensor): Tensor => F.crossEntropy(logits, target);

/** Loss and accuracy. */
export async function measure<B>(
  model: Module,
  test: Batches<B>,
  more: Readonly<Record<string, Metric<unknown>>> = {},
): Promise<{ testLoss: number; testAccuracy: number }> {
  const m = await evaluate(model, test, { loss, metrics: { accuracy: new Accuracy(), ...more } });
  return { testLoss: m['loss']!, testAccuracy: m['accuracy']! };
}
/** Loss and accuracy, and which class was taken for which. */
export async function measureClasses<B>(
  model: Module,
  test: Batches<B>,
  classes: readonly string[],
): Promise<{ metrics: Awaited<ReturnType<typeof measure>>; matrix: number[][] }> {
  const confusion = new ConfusionMatrix({ classes: classes.length });
  const metrics = await measure(model, test, { confusion });
  return { metrics, matrix: confusion.compute() };
}

/** The pair of classes that was taken for each other most often. */
export function mostConfused(matrix: readonly (readonly number[])[], classes: readonly string[]): string {
  let best = { n: -1, text: '' };
  for (const [i, row] of matrix.entries()) {
    for (const [j, n] of row.entries()) {
      if (i !== j && n > best.n) best = { n, text: `${classes[i]} → ${classes[j]}: ${n}` };
    }
  }
  return best.text;
}
