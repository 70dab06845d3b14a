import './platform.ts';

export * from './data/generators.ts';
export * as F from './nn/functional.ts';
export { Adam, AdamW } from './optim/adam.ts';
export { SGD } from './optim/sgd.ts';
export { getDevice } from './runtime/devices.ts';
export { compile } from './tensor/compile.ts';
export * from './tensor/create.ts';
export { range } from './tensor/indexing.ts';
export { noGrad } from './tensor/modes.ts';
export { cat, stack } from './tensor/movement.ts';
export * from './tensor/random.ts';
export { Tensor } from './tensor/tensor.ts';
