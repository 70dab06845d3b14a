// Linear maps: Linear, Bilinear, Identity.

import { zeros } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { bilinear, linear } from './functional/linear.ts';
import * as init from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { py } from './repr.ts';

/** Where parameters are made, and whether there is a bias. */
export interface LayerOptions extends PlaceOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}
export interface PlaceOptions {
  readonly dtype?: 'float16' | 'bfloat16' | 'float32' | 'float64';
  readonly device?: string;
}
/** A new parameter, for an initialiser to fill. */
export const unfilled = (shape: readonly number[], { dtype, device }: PlaceOptions): Parameter =>
  new Parameter(zeros(shape, { ...(dtype ? { dtype } : {}), ...(device ? { device } : {}) }));

/**
 * y = x Wᵀ + b. Shapes: x (…, inFeatures) → (…, outFeatures); weight (outFeatures, inFeatures), bias (outFeatures).
 * Both start uniform in ±1/√inFeatures.
 */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  declare weight: Parameter;
  declare bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: LayerOptions = {}) {
    super();
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = unfilled([outFeatures, inFeatures], options);
    this.registerParameter('bias', options.bias === false ? null : unfilled([outFeatures], options));
    this.resetParameters();
  }
  resetParameters(): void {
    init.kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    resetBias(this.bias, this.inFeatures);
  }
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias); // (…, outFeatures)
  }
  override macs(_: readonly unknown[], y: Tensor): number {
    return y.numel * this.inFeatures;
  }
  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${py(this.bias !== null)}`;
  }
}
/** Uniform in ±1/√fanIn, as for the weight. */
export function resetBias(bias: Parameter | null, fanIn: number): void {
  if (bias === null) return;
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  init.uniform_(bias, -bound, bound);
}

/**
 * yₖ = x1ᵀ Wₖ x2 + bₖ. Shapes: x1 (…, in1Features), x2 (…, in2Features) → (…, outFeatures);
 * weight (outFeatures, in1Features, in2Features). Both start uniform in ±1/√in1Features.
 */
export class Bilinear extends Module {
  readonly in1Features: number;
  readonly in2Features: number;
  readonly outFeatures: number;
  declare weight: Parameter;
  declare bias: Parameter | null;

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: LayerOptions = {}) {
    super();
    this.in1Features = in1Features;
    this.in2Features = in2Features;
    this.outFeatures = outFeatures;
    this.weight = unfilled([outFeatures, in1Features, in2Features], options);
    this.registerParameter('bias', options.bias === false ? null : unfilled([outFeatures], options));
    this.resetParameters();
  }
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    init.uniform_(this.weight, -bound, bound);
    resetBias(this.bias, this.in1Features);
  }
  forward(x1: Tensor, x2: Tensor): Tensor {
    return bilinear(x1, x2, this.weight, this.bias); // (…, outFeatures)
  }
  override macs(_: readonly unknown[], y: Tensor): number {
    return y.numel * this.in1Features * (this.in2Features + 1);
  }
  override extraRepr(): string {
    const { in1Features, in2Features, outFeatures, bias } = this;
    return `in1_features=${in1Features}, in2_features=${in2Features}, out_features=${outFeatures}, bias=${py(bias !== null)}`;
  }
}

/** Returns its input, whatever arguments it is made with: a place to put a layer later. */
export class Identity extends Module {
  constructor(..._ignored: unknown[]) {
    super();
  }
  forward(x: Tensor): Tensor {
    return x;
  }
}
