// All recipes, in the order in which a learner meets them.

import { batchNorm } from './batch-norm.ts';
import { batchSize } from './batch-size.ts';
import { dropoutL2 } from './dropout-l2.ts';
import { fashionMlp, mnistMlp } from './image-mlp.ts';
import { kinks } from './kinks.ts';
import { lineRecipe } from './line.ts';
import { momentumAbc } from './momentum-abc.ts';
import { optimizerRace } from './optimizer-race.ts';
import type { Recipe } from './recipe.ts';
import { rings } from './rings.ts';
import { circle, linear, square, triangle } from './shapes.ts';
import { troubles } from './troubles.ts';
import { vanishing } from './vanishing.ts';

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
  troubles,
  vanishing,
  batchNorm,
  dropoutL2,
  mnistMlp,
  fashionMlp,
];
