// tenon/optim: optimizers and learning-rate schedules.

export * from './adagrad.ts';
export * from './adam.ts';
export * from './adam-family.ts';
export * from './lbfgs.ts';
export * from './lr-finder.ts';
export * from './muon.ts';
export { type GroupOptions, type LoadedStateDict, Optimizer, type OptimizerStateDict } from './optimizer.ts';
export * from './path.ts';
export * from './rprop.ts';
export {
  ConstantLR,
  CosineAnnealingLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  LRScheduler,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  type Scheduled,
  type ScheduledGroup,
  type ScheduleState,
  StepLR,
} from './schedule.ts';
export * from './schedule-cycle.ts';
export * from './schedule-more.ts';
export * from './sgd.ts';
