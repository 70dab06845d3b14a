// tenon/optim: optimizers.

export { Adam, AdamW } from './adam.ts';
export { SGD } from './sgd.ts';
