// tenon/data: data sets, and the way from them to batches.

// The data folder is a flag: where flags come from must be known, also to who imports nothing else.
import '../platform.ts';

export { type Collated, defaultCollate, type PadOptions, padSequence } from './collate.ts';
export { type ColumnType, type CsvOptions, parseCsv, readTable, Table } from './csv.ts';
export {
  type BatchContext,
  ChainDataset,
  ConcatDataset,
  Dataset,
  IterableDataset,
  randomSplit,
  StackDataset,
  Subset,
  TensorDataset,
  TransformDataset,
} from './dataset.ts';
export { dataFolder, gunzip, loadFile, readDataFile } from './files.node.ts';
export { type FileOptions, type FileSource, type Progress, watchDownloads } from './files.ts';
export {
  type BlobsOptions,
  batchNormExample,
  classCounts,
  type Drawn,
  insideShape,
  makeBlobs,
  makeLine,
  makeMoons,
  makeRings,
  makeScales,
  makeShape,
  makeSpirals,
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
export { parseIdx } from './idx.ts';
export { DataLoader, type DataLoaderOptions, type LoaderState } from './loader.ts';
export {
  FASHION_MNIST,
  fashionMnist,
  type ImageSet,
  MNIST,
  type MnistOptions,
  mnist,
  readImageSet,
} from './mnist.ts';
export {
  makePlayground,
  type PlaygroundSet,
  type PlaygroundSettings,
  parsePlayground,
} from './playground.ts';
export type { ArrayData } from './rows.ts';
export {
  type BatchSampler,
  BucketBatchSampler,
  type BucketOptions,
  type CurriculumOptions,
  CurriculumSampler,
  RandomSampler,
  type RandomSamplerOptions,
  type Sampler,
  SequentialSampler,
  StratifiedSampler,
  SubsetRandomSampler,
  TimeOrderedBatchSampler,
  WeightedRandomSampler,
} from './sampler.ts';
export {
  type CopyOptions,
  makeAdding,
  makeCopy,
  makeParity,
  makeRecall,
  makeReversal,
  makeWaves,
  type ParityOptions,
  type ReversalOptions,
  WAVES,
  type WaveForm,
  type WavesOptions,
} from './sequences.ts';
export { minTemperatures, seriesWindows } from './series.ts';
export { ravine, rosenbrock } from './surfaces.ts';
export { readTar, type TarFile } from './tar.ts';
export { serveWorker, workerInfo } from './worker.ts';
export { datasetFrom, WorkerError } from './workers.ts';
