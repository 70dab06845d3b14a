// All recipes, in the order in which a learner meets them.

import { augmentation } from './augmentation.ts';
import { batchNorm } from './batch-norm.ts';
import { batchSize } from './batch-size.ts';
import { charBigram, namesBigram } from './bigram.ts';
import { convStack, pooling } from './conv-ways.ts';
import { degradation } from './degradation.ts';
import { dropoutL2 } from './dropout-l2.ts';
import { forecast } from './forecast.ts';
import { growingLength } from './growing-length.ts';
import { adaline, dbn, perceptron, svm, xor } from './history.ts';
import { fashionMlp, mnistMlp } from './image-mlp.ts';
import { cifar100Resnet20, fashionCnn, lenet } from './image-net.ts';
import { kinks } from './kinks.ts';
import { LANGUAGE } from './language.ts';
import { lineRecipe } from './line.ts';
import { adding, copy, recall } from './memory-tasks.ts';
import { initTanh, lrPolicy } from './mnist-ways.ts';
import { momentumAbc } from './momentum-abc.ts';
import { optimizerRace } from './optimizer-race.ts';
import { ownParts } from './own-parts.ts';
import { PARITY } from './parity.ts';
import { race } from './race.ts';
import type { Recipe } from './recipe.ts';
import { reversal } from './reversal.ts';
import { rings } from './rings.ts';
import { SENTIMENT } from './sentiment.ts';
import { circle, linear, square, triangle } from './shapes.ts';
import { shuffling } from './shuffling.ts';
import { tagging } from './tagging.ts';
import { clipping, tbptt, timeGradient } from './through-time.ts';
import { troubles } from './troubles.ts';
import { vanishing } from './vanishing.ts';
import { wordOrder } from './word-order.ts';
import { wordVectors } from './word-vectors.ts';

export const RECIPES: readonly Recipe[] = [
  lineRecipe,
  kinks,
  perceptron,
  adaline,
  xor,
  svm,
  linear,
  circle,
  triangle,
  square,
  batchSize,
  optimizerRace,
  momentumAbc,
  rings,
  shuffling,
  troubles,
  vanishing,
  batchNorm,
  dropoutL2,
  ownParts,
  mnistMlp,
  fashionMlp,
  initTanh,
  lrPolicy,
  dbn,
  augmentation,
  pooling,
  convStack,
  degradation,
  lenet,
  fashionCnn,
  cifar100Resnet20,
  timeGradient,
  clipping,
  tbptt,
  ...PARITY,
  recall,
  copy,
  adding,
  forecast,
  tagging,
  reversal,
  wordVectors,
  wordOrder,
  charBigram,
  namesBigram,
  ...LANGUAGE,
  race,
  growingLength,
  ...SENTIMENT,
];
