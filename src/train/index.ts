// tenon/train: the training loop, metrics, callbacks, logs. Prints nothing itself.

export {
  type Callback,
  EarlyStopping,
  type EarlyStoppingOptions,
  jsonLog,
  type Sink,
  type TensorBoardOptions,
  type TrainingView,
  tensorBoard,
} from './callbacks.ts';
export {
  type Batches,
  type EvaluateOptions,
  evaluate,
  type Forward,
  type Forwarded,
  predict,
} from './evaluate.ts';
export type { EndReason, Metrics, Place, TrainEvent } from './events.ts';
export {
  type Checkpointing,
  type FitOptions,
  type FitResult,
  fit,
  type History,
  type Schedule,
  type TrainingState,
} from './fit.ts';
export {
  Accuracy,
  type AccuracyOptions,
  AUROC,
  ConfusionMatrix,
  MeanAbsoluteError,
  MeanSquaredError,
  type Measured,
  Metric,
  Perplexity,
  type PrecisionRecall,
  PrecisionRecallF1,
  R2Score,
} from './metrics.ts';
export { NonFiniteError } from './nan-guard.ts';
