import './platform.ts';
export * from './tensor/create.ts';
export * from './tensor/random.ts';
export { cat, stack } from './tensor/movement.ts';
export { range } from './tensor/indexing.ts';
export { Tensor } from './tensor/tensor.ts';
export { getDevice } from './runtime/devices.ts';
