// All recipes, in the order in which a learner meets them.

import { batchSize } from './batch-size.ts';
import { fashionMlp, mnistMlp } from './image-mlp.ts';
import { kinks } from './kinks.ts';
import { lineRecipe } from './line.ts';
import { momentumAbc } from './momentum-abc.ts';
import { optimizerRace } from './optimizer-race.ts';
import type { Recipe } from './recipe.ts';
import { rings } from './rings.ts';
import { circle, linear, square, triangle } from './shapes.ts';

export const RECIPES: readonly Recipe[] = [
  lineRecipe,
  kinks,
  linear,
  circle,
  triangle,
  square,
  batchSize,
  optimizerRace,
  momentumAbc,
  rings,
  mnistMlp,
  fashionMlp,
];
