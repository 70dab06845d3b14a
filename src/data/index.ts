// tenon/data: data sets and how to split them.

export {
  classCounts,
  type Drawn,
  insideShape,
  makeLine,
  makeRings,
  makeShape,
  type RingsOptions,
  type Samples,
  SHAPES,
  type Shape2d,
  type SplitOptions,
  shapeOutline,
  standardize,
  trainTestSplit,
  truthTable,
} from './generators.ts';
