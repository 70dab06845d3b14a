// Tables of vectors by index.

import { ShapeError, showShape, ValueError } from '../base/errors.ts';
import { noGrad } from '../tensor/modes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as F from './functional/sparse.ts';
import * as init from './init.ts';
import { type PlaceOptions, unfilled } from './linear.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { py } from './repr.ts';

export interface EmbeddingLayerOptions extends F.EmbeddingOptions, PlaceOptions {}
export interface PretrainedOptions extends F.EmbeddingOptions {
  /** Keep the table as it is. Default true. */
  readonly freeze?: boolean;
}

/** What both layers share: the table and its first values. */
abstract class Table extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
  weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingLayerOptions) {
    super();
    const { paddingIdx = null, maxNorm = null, normType = 2, scaleGradByFreq = false, ...place } = options;
    if (paddingIdx !== null && !(paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings)) {
      const rule = `paddingIdx must be one of the ${numEmbeddings} rows`;
      throw new ValueError(new.target.name, rule, String(paddingIdx), '');
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.weight = unfilled([numEmbeddings, embeddingDim], place);
    this.resetParameters();
  }
  /** Normal with std 1, zeros in the row of `paddingIdx`. */
  resetParameters(): void {
    init.normal_(this.weight);
    const row = this.paddingIdx;
    if (row !== null) noGrad(() => this.weight.select(0, row).zero_());
  }
  /** Takes a table instead of a random one. */
  protected take(table: Tensor, freeze: boolean): this {
    this.weight = new Parameter(table, { requiresGrad: !freeze });
    return this;
  }
  override extraRepr(): string {
    const { numEmbeddings, embeddingDim, paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    return [
      `${numEmbeddings}, ${embeddingDim}`,
      ...(paddingIdx === null ? [] : [`padding_idx=${paddingIdx}`]),
      ...(maxNorm === null ? [] : [`max_norm=${py(maxNorm)}`]),
      ...(normType === 2 ? [] : [`norm_type=${py(normType)}`]),
      ...(scaleGradByFreq ? ['scale_grad_by_freq=True'] : []),
    ].join(', ');
  }
}
function sizesOf(op: string, table: Tensor): [number, number] {
  if (table.ndim !== 2) throw new ShapeError(op, 'a table is a matrix', showShape(table.shape), '');
  return table.shape as unknown as [number, number];
}

/**
 * The rows of a table (numEmbeddings, embeddingDim) at indices (…): (…, embeddingDim). The row `paddingIdx` gets no
 * gradient; rows looked up are first shortened to `maxNorm` where given.
 */
export class Embedding extends Table {
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingLayerOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
  }
  /** A layer over a given table; frozen unless `freeze: false`. */
  static fromPretrained(table: Tensor, { freeze = true, ...options }: PretrainedOptions = {}): Embedding {
    return new Embedding(...sizesOf('fromPretrained', table), options).take(table, freeze);
  }
  forward(indices: Tensor): Tensor {
    return F.embedding(indices, this.weight, this); // (…, embeddingDim)
  }
}

export interface BagOptions {
  /** Default 'mean'. */
  readonly mode?: 'mean' | 'sum' | 'max';
  /** The last offset is the end of the last bag. Default false. */
  readonly includeLastOffset?: boolean;
}
/** Means, sums or maxima of bags of rows: indices (N, S), or (n) with offsets (N), give (N, embeddingDim). */
export class EmbeddingBag extends Table {
  readonly mode: 'mean' | 'sum' | 'max';
  readonly includeLastOffset: boolean;
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingLayerOptions & BagOptions = {}) {
    const { mode = 'mean', includeLastOffset = false, ...rest } = options;
    super(numEmbeddings, embeddingDim, rest);
    this.mode = mode;
    this.includeLastOffset = includeLastOffset;
  }
  static fromPretrained(
    table: Tensor,
    { freeze = true, ...options }: PretrainedOptions & BagOptions = {},
  ): EmbeddingBag {
    return new EmbeddingBag(...sizesOf('fromPretrained', table), options).take(table, freeze);
  }
  forward(indices: Tensor, offsets?: Tensor | null, perSampleWeights?: Tensor | null): Tensor {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq, mode, includeLastOffset } = this;
    const options = { paddingIdx, maxNorm, normType, scaleGradByFreq, mode, includeLastOffset };
    return F.embeddingBag(indices, this.weight, offsets, {
      ...options,
      perSampleWeights: perSampleWeights ?? null,
    });
  }
  override extraRepr(): string {
    return `${super.extraRepr()}, mode=${py(this.mode)}`;
  }
}
