// tenon/nn: modules and layers.

export { ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential } from './container.ts';
export * as functional from './functional.ts';
export type { BackwardHook, BackwardPreHook, ForwardHook, ForwardPreHook, Grads } from './hooks.ts';
export * as init from './init.ts';
export { Bilinear, Identity, type LayerOptions, Linear, type PlaceOptions } from './linear.ts';
export { isModule, type Layer, Module, type NamedOptions } from './module.ts';
export { Parameter } from './parameter.ts';
export type { LoadOptions, LoadResult, StateDict } from './state-dict.ts';
