// torch.nn.functional: layers, activations and losses as functions without state.

export {
  celu,
  elu,
  gelu,
  glu,
  gumbelSoftmax,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSoftmax,
  logsigmoid,
  mish,
  prelu,
  relu,
  relu6,
  rrelu,
  selu,
  sigmoid,
  silu,
  softmax,
  softmin,
  softplus,
  softshrink,
  softsign,
  tanh,
  tanhshrink,
  threshold,
} from './functional/activation.ts';
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  type OutputSize,
} from './functional/adaptive.ts';
export { scaledDotProductAttention } from './functional/attention.ts';
export { type ClassLossOptions, crossEntropy, nllLoss } from './functional/classification.ts';
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  fold,
  type PerDim,
  unfold,
  type WindowOptions,
} from './functional/conv.ts';
export { ctcLoss } from './functional/ctc.ts';
export {
  type DiagonalStateSpaceOptions,
  diagonalStateSpace,
  diagonalStep,
} from './functional/diagonal-ssm.ts';
export {
  alphaDropout,
  type DropoutOptions,
  dropout,
  dropout1d,
  dropout2d,
  dropout3d,
  featureAlphaDropout,
} from './functional/dropout.ts';
export { affineGrid, type GridMode, type GridPadding, gridSample } from './functional/grid.ts';
export { bilinear, linear } from './functional/linear.ts';
export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  gaussianNllLoss,
  huberLoss,
  klDiv,
  type LossOptions,
  l1Loss,
  mseLoss,
  poissonNllLoss,
  type Reduction,
  smoothL1Loss,
  type WeightedLossOptions,
} from './functional/loss.ts';
export {
  cosineEmbeddingLoss,
  cosineSimilarity,
  hingeEmbeddingLoss,
  marginRankingLoss,
  multilabelMarginLoss,
  multilabelSoftMarginLoss,
  multiMarginLoss,
  pairwiseDistance,
  pdist,
  softMarginLoss,
  tripletMarginLoss,
  tripletMarginWithDistanceLoss,
} from './functional/margin.ts';
export {
  batchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNorm,
  normalize,
  rmsNorm,
} from './functional/norm.ts';
export { type PadMode, pad } from './functional/pad.ts';
export {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  lpPool1d,
  lpPool2d,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
  type PoolOptions,
  type UnpoolOptions,
} from './functional/pool.ts';
export { linearBiases, type RotaryOptions, rotary, sinusoidalPositions } from './functional/position.ts';
export {
  channelShuffle,
  type InterpolateMode,
  type InterpolateOptions,
  interpolate,
  pixelShuffle,
  pixelUnshuffle,
} from './functional/resample.ts';
export { type ScanOptions, scan } from './functional/scan.ts';
export { type EmbeddingOptions, embedding, embeddingBag, oneHot } from './functional/sparse.ts';
export {
  type SelectiveScanOptions,
  selectiveScan,
  selectiveScanWithState,
  selectiveStep,
  stateSpaceDual,
} from './functional/ssm.ts';
