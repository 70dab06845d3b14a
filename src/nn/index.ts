// tenon/nn: modules, layers, losses, initialisers.

export {
  CELU,
  ELU,
  GELU,
  GLU,
  Hardshrink,
  Hardsigmoid,
  Hardswish,
  Hardtanh,
  type InPlaceOptions,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  RReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softmax2d,
  Softmin,
  Softplus,
  Softshrink,
  Softsign,
  Tanh,
  Tanhshrink,
  Threshold,
} from './activation.ts';
export { AdaptiveLogSoftmaxWithLoss, type AdaptiveSoftmaxOptions } from './adaptive-softmax.ts';
export {
  type AttentionCallOptions,
  MultiheadAttention,
  type MultiheadAttentionOptions,
} from './attention.ts';
export { observeCalls } from './call.ts';
export {
  clipGradNorm_,
  clipGradValue_,
  getTotalNorm,
  parametersToVector,
  vectorToParameters,
} from './clip.ts';
export { ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential } from './container.ts';
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from './conv.ts';
export { deepCopy } from './copy.ts';
export {
  AlphaDropout,
  Dropout,
  Dropout1d,
  Dropout2d,
  Dropout3d,
  type DropoutLayerOptions,
  FeatureAlphaDropout,
} from './dropout.ts';
export {
  type BagOptions,
  Embedding,
  EmbeddingBag,
  type EmbeddingLayerOptions,
  type PretrainedOptions,
} from './embedding.ts';
export { isModule } from './fields.ts';
export * as functional from './functional.ts';
export { functionalCall } from './functional-call.ts';
export type { BackwardHook, BackwardPreHook, ForwardHook, ForwardPreHook, Grads } from './hooks.ts';
export * as init from './init.ts';
export { KVCache } from './kv-cache.ts';
export { Bilinear, Identity, type LayerOptions, Linear, type PlaceOptions } from './linear.ts';
export {
  BCELoss,
  BCEWithLogitsLoss,
  CosineEmbeddingLoss,
  CosineSimilarity,
  CrossEntropyLoss,
  CTCLoss,
  GaussianNLLLoss,
  HingeEmbeddingLoss,
  HuberLoss,
  KLDivLoss,
  L1Loss,
  MarginRankingLoss,
  MSELoss,
  MultiLabelMarginLoss,
  MultiLabelSoftMarginLoss,
  MultiMarginLoss,
  NLLLoss,
  PairwiseDistance,
  PoissonNLLLoss,
  SmoothL1Loss,
  SoftMarginLoss,
  TripletMarginLoss,
  TripletMarginWithDistanceLoss,
} from './loss.ts';
export { Mamba, Mamba2, type Mamba2Options, type MambaOptions, type MambaState } from './mamba.ts';
export { type Layer, Module, type NamedOptions } from './module.ts';
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormOptions,
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  LayerNorm,
  type LayerNormOptions,
  LocalResponseNorm,
  RMSNorm,
} from './norm.ts';
export { PackedSequence, packPaddedSequence, packSequence, padPackedSequence } from './packed.ts';
export {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  type Padding,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
} from './padding.ts';
export { Parameter } from './parameter.ts';
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  LPPool1d,
  LPPool2d,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  MaxUnpool1d,
  MaxUnpool2d,
  MaxUnpool3d,
} from './pool.ts';
export { removeSpectralNorm, removeWeightNorm, spectralNorm, weightNorm } from './reparametrize.ts';
export {
  ChannelShuffle,
  Flatten,
  Fold,
  PixelShuffle,
  PixelUnshuffle,
  Unflatten,
  Unfold,
  Upsample,
  UpsamplingBilinear2d,
  UpsamplingNearest2d,
} from './reshape.ts';
export {
  GRU,
  GRUCell,
  type GruConvention,
  LSTM,
  LSTMCell,
  type LstmOptions,
  type RecurrentOptions,
  RNN,
  RNNCell,
  type RnnCellOptions,
  type RnnOptions,
} from './rnn.ts';
export { S4D, type S4DOptions } from './s4d.ts';
export type { LoadOptions, LoadResult, StateDict } from './state-dict.ts';
export { type Summary, type SummaryInput, type SummaryRow, summary } from './summary.ts';
export {
  type DecoderCallOptions,
  type EncoderCallOptions,
  Transformer,
  type TransformerCallOptions,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
  type TransformerOptions,
} from './transformer.ts';
