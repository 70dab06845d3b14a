// The whole public API of `tenon`, as one explicit list; what is not here may change at any time.

import './platform.ts';

export type { DType } from './base/dtype.ts';
export { type FlagName, setFlag } from './base/env.ts';
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
} from './data/generators.ts';
export * as linalg from './linalg/index.ts';
export * as F from './nn/functional.ts';
export * as nn from './nn/index.ts';
export { Adam, AdamW } from './optim/adam.ts';
export * as optim from './optim/index.ts';
export { SGD } from './optim/sgd.ts';
export { defaultDevice, getDevice, setDefaultDevice, useDevice } from './runtime/devices.ts';
export * as autograd from './tensor/autograd.ts';
export { checkpoint } from './tensor/checkpoint.ts';
export {
  atleast1d,
  atleast2d,
  atleast3d,
  blockDiag,
  broadcastTensors,
  cartesianProd,
  columnStack,
  combinations,
  dstack,
  hstack,
  vstack,
} from './tensor/combine.ts';
export { compile } from './tensor/compile.ts';
export {
  arange,
  empty,
  emptyLike,
  eye,
  full,
  fullLike,
  linspace,
  logspace,
  meshgrid,
  type NestedNumbers,
  ones,
  onesLike,
  type TensorOptions,
  tensor,
  trilIndices,
  triuIndices,
  zeros,
  zerosLike,
} from './tensor/create.ts';
export { customGrad, type FunctionContext } from './tensor/custom.ts';
export { grad, jvp, valueAndGrad, vjp } from './tensor/differentiate.ts';
export { einsum } from './tensor/einsum.ts';
export {
  abs,
  add,
  all,
  allclose,
  any,
  argmax,
  argmin,
  argsort,
  bmm,
  ceil,
  chunk,
  clamp,
  cos,
  cross,
  cumprod,
  cumsum,
  diag,
  div,
  dot,
  equal,
  erf,
  exp,
  expm1,
  flatten,
  flip,
  floor,
  gather,
  inner,
  isclose,
  isfinite,
  isinf,
  isnan,
  kron,
  lerp,
  log,
  log1p,
  log2,
  log10,
  logsumexp,
  matmul,
  max,
  maximum,
  mean,
  min,
  minimum,
  mm,
  mul,
  mv,
  neg,
  norm,
  outer,
  permute,
  pow,
  prod,
  reciprocal,
  relu,
  repeatInterleave,
  reshape,
  roll,
  rsqrt,
  sigmoid,
  sign,
  sin,
  sort,
  split,
  sqrt,
  square,
  squeeze,
  std,
  sub,
  sum,
  tan,
  tanh,
  tile,
  topk,
  transpose,
  tril,
  triu,
  unbind,
  unsqueeze,
  where,
  xlogy,
} from './tensor/functions.ts';
export { type GradcheckOptions, gradcheck, gradgradcheck } from './tensor/gradcheck.ts';
export { type Index, range } from './tensor/indexing.ts';
export { hessian, jacobian } from './tensor/jacobian.ts';
export { cdist, dist, tensordot } from './tensor/linalg.ts';
export { enableGrad, isGradEnabled, noGrad } from './tensor/modes.ts';
export { cat, stack } from './tensor/movement.ts';
export { memory, type Profile, type ProfileRow, profile } from './tensor/profile.ts';
export {
  bernoulli,
  defaultGenerator,
  Generator,
  manualSeed,
  multinomial,
  normal,
  type RandomOptions,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
  uniform,
} from './tensor/random.ts';
export { bucketize, isin, searchsorted } from './tensor/sort.ts';
export { Tensor } from './tensor/tensor.ts';
export { type VmapOptions, vmap } from './tensor/vmap.ts';
