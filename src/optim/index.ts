// tenon/optim: optimizers.

export * from './adagrad.ts';
export * from './adam.ts';
export * from './adam-family.ts';
export * from './lbfgs.ts';
export * from './muon.ts';
export { type GroupOptions, Optimizer, type OptimizerStateDict } from './optimizer.ts';
export * from './rprop.ts';
export * from './sgd.ts';
