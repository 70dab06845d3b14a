// Bands: what a recipe reaches over several seeds of our own runs, and what it reaches with its ingredient taken out.

/** What of a recipe is watched: the metric with the ingredient, and the one without. */
export interface Watched {
  readonly recipe: string;
  readonly metric: string;
  /** The metric of the same run without the ingredient. */
  readonly without: string;
  readonly ingredient: string;
  /** Reads real data sets. */
  readonly data?: true;
}
/** Losses rather than accuracies, where those end at 1 for every seed, which is no band. */
export const WATCHED: readonly Watched[] = [
  {
    recipe: 'adaline',
    metric: 'testAccuracyTuned',
    without: 'testAccuracyHalf',
    ingredient: 'the tuned threshold',
  },
  { recipe: 'batch-size', metric: 'testAccuracy', without: 'testAccuracyFull', ingredient: 'mini-batches' },
  { recipe: 'shuffling', metric: 'testLossShuffled', without: 'testLossSorted', ingredient: 'shuffling' },
  {
    recipe: 'troubles',
    metric: 'trainLossAMended',
    without: 'trainLossASlow',
    ingredient: 'a larger rate',
  },
  { recipe: 'vanishing', metric: 'trainLossnorm', without: 'trainLosssigmoid', ingredient: 'normalisation' },
  {
    recipe: 'batch-norm',
    metric: 'trainLossInitNorm',
    without: 'trainLossInitPlain',
    ingredient: 'batch normalisation',
  },
  {
    recipe: 'dropout-l2',
    metric: 'testLossBoth',
    without: 'testLossPlain',
    ingredient: 'dropout and the L2 penalty',
  },
  {
    recipe: 'own-parts',
    metric: 'trainLossBase',
    without: 'trainLossInitsmall',
    ingredient: "He's first weights",
  },
  {
    recipe: 'dbn',
    metric: 'testAccuracyPretrained',
    without: 'testAccuracyPlain',
    ingredient: 'pretraining',
    data: true,
  },
  {
    recipe: 'lr-policy',
    metric: 'trainLossPlateau',
    without: 'trainLossFixed',
    ingredient: 'a large rate that falls',
    data: true,
  },
  {
    recipe: 'init-tanh',
    metric: 'trainLossReluHe',
    without: 'trainLossTanhHe',
    ingredient: 'ReLU',
    data: true,
  },
  {
    recipe: 'augmentation',
    metric: 'testAccuracyGentle',
    without: 'testAccuracyBreaking',
    ingredient: 'labels that stay true',
    data: true,
  },
  { recipe: 'momentum-abc', metric: 'testLossC', without: 'testLossA', ingredient: 'momentum' },
];

/** mean ± 3 standard deviations (of the sample, n − 1). */
export function bandOf(values: readonly number[]): readonly [low: number, high: number] {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1));
  return [mean - 3 * std, mean + 3 * std];
}
