// Bands: what a recipe reaches over several seeds of our own runs, and what it reaches with its ingredient taken out.

/** What of a recipe is watched: the metric with the ingredient, and the one without. */
export interface Watched {
  readonly recipe: string;
  readonly metric: string;
  /** The metric of the same run without the ingredient. */
  readonly without: string;
  readonly ingredient: string;
}
/** Losses, not accuracies: those end at 1 for every seed, which is no band. */
export const WATCHED: readonly Watched[] = [
  { recipe: 'momentum-abc', metric: 'testLossC', without: 'testLossA', ingredient: 'momentum' },
];

/** mean ± 3 standard deviations (of the sample, n − 1). */
export function bandOf(values: readonly number[]): readonly [low: number, high: number] {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1));
  return [mean - 3 * std, mean + 3 * std];
}
