// Transformer layers and stacks. Letters: N batch, T target length, S source length, E model width.

import { show, ValueError } from '../base/errors.ts';
import { zeros } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { MultiheadAttention } from './attention.ts';
import { ModuleList } from './container.ts';
import { deepCopy } from './copy.ts';
import { Dropout } from './dropout.ts';
import { gelu, relu } from './functional/activation.ts';
import * as init from './init.ts';
import { Linear, type PlaceOptions } from './linear.ts';
import { Module } from './module.ts';
import { LayerNorm } from './norm.ts';

export interface TransformerLayerOptions extends PlaceOptions {
  /** Width between the two linear layers. Default 2048. */
  readonly dimFeedforward?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Default 'relu'. */
  readonly activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor);
  /** Default 1e-5. */
  readonly layerNormEps?: number;
  /** (N, T, E) instead of (T, N, E). Default false. */
  readonly batchFirst?: boolean;
  /** Normalise before each part, x + f(norm(x)), instead of after, norm(x + f(x)). Default false. */
  readonly normFirst?: boolean;
}
export interface EncoderCallOptions {
  /** (T, T) or (N · H, T, T): places to leave out (bool, true), or numbers added to the scores. */
  readonly mask?: Tensor | null;
  /** (N, T): keys to leave out. */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Each place sees what came before it. */
  readonly isCausal?: boolean;
}
export interface DecoderCallOptions {
  readonly tgtMask?: Tensor | null;
  readonly memoryMask?: Tensor | null;
  readonly tgtKeyPaddingMask?: Tensor | null;
  readonly memoryKeyPaddingMask?: Tensor | null;
  readonly tgtIsCausal?: boolean;
}

function activationOf(a: TransformerLayerOptions['activation'] = 'relu'): (x: Tensor) => Tensor {
  if (typeof a === 'function') return a;
  if (a !== 'relu' && a !== 'gelu')
    throw new ValueError('TransformerLayer', "activation is 'relu', 'gelu' or a function", show(a), '');
  return a === 'relu' ? relu : gelu;
}
/** What encoder and decoder layers are made of; each call makes a new part. */
function parts(dModel: number, nhead: number, options: TransformerLayerOptions) {
  const {
    dimFeedforward = 2048,
    dropout: p = 0.1,
    activation,
    layerNormEps: eps = 1e-5,
    batchFirst = false,
    normFirst = false,
    ...place
  } = options;
  return {
    normFirst,
    activation: activationOf(activation),
    attention: () => new MultiheadAttention(dModel, nhead, { dropout: p, batchFirst, ...place }),
    linear1: () => new Linear(dModel, dimFeedforward, place),
    linear2: () => new Linear(dimFeedforward, dModel, place),
    norm: () => new LayerNorm(dModel, { eps, ...place }),
    dropout: () => new Dropout(p),
  };
}
interface FeedForward {
  readonly activation: (x: Tensor) => Tensor;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
}
/** The two linear layers, for each place. (*, E) → (*, E) */
const feedForward = ({ activation, linear1, dropout, linear2 }: FeedForward, x: Tensor): Tensor =>
  linear2(dropout(activation(linear1(x))));
function checkCopies(op: string, n: number): void {
  if (!Number.isInteger(n) || n < 1)
    throw new ValueError(op, 'the number of layers must be positive', show(n), '');
}
const copies = <M extends Module>(layer: M, n: number): ModuleList<M> =>
  new ModuleList(Array.from({ length: n }, () => deepCopy(layer)));

/**
 * Self-attention, then two linear layers for each place, each with dropout, a residual connection and layer norm.
 * x (T, N, E) or batch first → the same shape. Vaswani et al. 2017, section 3.1; normFirst: Xiong et al. 2020.
 */
export class TransformerEncoderLayer extends Module {
  readonly normFirst: boolean;
  readonly activation: (x: Tensor) => Tensor;
  readonly self_attn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    const make = parts(dModel, nhead, options);
    this.normFirst = make.normFirst;
    this.activation = make.activation;
    this.self_attn = make.attention();
    this.linear1 = make.linear1();
    this.dropout = make.dropout();
    this.linear2 = make.linear2();
    this.norm1 = make.norm();
    this.norm2 = make.norm();
    this.dropout1 = make.dropout();
    this.dropout2 = make.dropout();
  }
  forward(src: Tensor, options: EncoderCallOptions = {}): Tensor {
    const attend = (x: Tensor): Tensor => {
      const o = {
        attnMask: options.mask ?? null,
        keyPaddingMask: options.srcKeyPaddingMask ?? null,
        isCausal: options.isCausal ?? false,
        needWeights: false,
      };
      return this.dropout1(this.self_attn(x, x, x, o)[0]);
    };
    const feed = (x: Tensor): Tensor => this.dropout2(feedForward(this, x));
    if (this.normFirst) {
      const x = src.add(attend(this.norm1(src)));
      return x.add(feed(this.norm2(x)));
    }
    const x = this.norm1(src.add(attend(src)));
    return this.norm2(x.add(feed(x)));
  }
}

/** Copies of an encoder layer one after the other, and a norm at the end where one is given. */
export class TransformerEncoder extends Module {
  readonly layers: ModuleList<TransformerEncoderLayer>;
  declare norm: LayerNorm | null;
  constructor(layer: TransformerEncoderLayer, numLayers: number, norm: LayerNorm | null = null) {
    super();
    checkCopies('TransformerEncoder', numLayers);
    this.layers = copies(layer, numLayers);
    this.norm = norm;
  }
  forward(src: Tensor, options: EncoderCallOptions = {}): Tensor {
    let x = src;
    for (const layer of this.layers) x = layer(x, options);
    return this.norm === null ? x : this.norm(x);
  }
}

/**
 * Self-attention, attention to the encoder's output, then two linear layers for each place. tgt (T, N, E), memory
 * (S, N, E) → like tgt. Vaswani et al. 2017, section 3.1.
 */
export class TransformerDecoderLayer extends Module {
  readonly normFirst: boolean;
  readonly activation: (x: Tensor) => Tensor;
  readonly self_attn: MultiheadAttention;
  readonly multihead_attn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly norm3: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly dropout3: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    const make = parts(dModel, nhead, options);
    this.normFirst = make.normFirst;
    this.activation = make.activation;
    this.self_attn = make.attention();
    this.multihead_attn = make.attention();
    this.linear1 = make.linear1();
    this.dropout = make.dropout();
    this.linear2 = make.linear2();
    this.norm1 = make.norm();
    this.norm2 = make.norm();
    this.norm3 = make.norm();
    this.dropout1 = make.dropout();
    this.dropout2 = make.dropout();
    this.dropout3 = make.dropout();
  }
  forward(tgt: Tensor, memory: Tensor, options: DecoderCallOptions = {}): Tensor {
    const {
      tgtMask = null,
      memoryMask = null,
      tgtKeyPaddingMask = null,
      memoryKeyPaddingMask = null,
      tgtIsCausal = false,
    } = options;
    const own = {
      attnMask: tgtMask,
      keyPaddingMask: tgtKeyPaddingMask,
      isCausal: tgtIsCausal,
      needWeights: false,
    };
    const other = { attnMask: memoryMask, keyPaddingMask: memoryKeyPaddingMask, needWeights: false };
    const attend = (x: Tensor): Tensor => this.dropout1(this.self_attn(x, x, x, own)[0]);
    const look = (x: Tensor): Tensor => this.dropout2(this.multihead_attn(x, memory, memory, other)[0]);
    const feed = (x: Tensor): Tensor => this.dropout3(feedForward(this, x));
    if (this.normFirst) {
      const x = tgt.add(attend(this.norm1(tgt)));
      const y = x.add(look(this.norm2(x)));
      return y.add(feed(this.norm3(y)));
    }
    const x = this.norm1(tgt.add(attend(tgt)));
    const y = this.norm2(x.add(look(x)));
    return this.norm3(y.add(feed(y)));
  }
}

/** Copies of a decoder layer one after the other, and a norm at the end where one is given. */
export class TransformerDecoder extends Module {
  readonly layers: ModuleList<TransformerDecoderLayer>;
  declare norm: LayerNorm | null;
  constructor(layer: TransformerDecoderLayer, numLayers: number, norm: LayerNorm | null = null) {
    super();
    checkCopies('TransformerDecoder', numLayers);
    this.layers = copies(layer, numLayers);
    this.norm = norm;
  }
  forward(tgt: Tensor, memory: Tensor, options: DecoderCallOptions = {}): Tensor {
    let x = tgt;
    for (const layer of this.layers) x = layer(x, memory, options);
    return this.norm === null ? x : this.norm(x);
  }
}

export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 512. */
  readonly dModel?: number;
  /** Default 8. */
  readonly nhead?: number;
  /** Default 6. */
  readonly numEncoderLayers?: number;
  /** Default 6. */
  readonly numDecoderLayers?: number;
}
export interface TransformerCallOptions extends DecoderCallOptions {
  readonly srcMask?: Tensor | null;
  readonly srcKeyPaddingMask?: Tensor | null;
}
/** Encoder and decoder, both with a norm at the end; weights Xavier uniform. src (S, N, E), tgt (T, N, E) → like tgt. */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;
  constructor(options: TransformerOptions = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...rest } = options;
    const { layerNormEps: eps = 1e-5, dtype, device } = rest;
    const place = { ...(dtype ? { dtype } : {}), ...(device ? { device } : {}) };
    const norm = () => new LayerNorm(dModel, { eps, ...place });
    this.encoder = new TransformerEncoder(
      new TransformerEncoderLayer(dModel, nhead, rest),
      numEncoderLayers,
      norm(),
    );
    this.decoder = new TransformerDecoder(
      new TransformerDecoderLayer(dModel, nhead, rest),
      numDecoderLayers,
      norm(),
    );
    for (const p of this.parameters()) if (p.ndim > 1) init.xavierUniform_(p);
  }
  forward(src: Tensor, tgt: Tensor, options: TransformerCallOptions = {}): Tensor {
    const { srcMask: mask = null, srcKeyPaddingMask = null, ...rest } = options;
    return this.decoder(tgt, this.encoder(src, { mask, srcKeyPaddingMask }), rest);
  }
  /** (n, n): 0 on and below the diagonal, −∞ above, where a place would see a later one. */
  static generateSquareSubsequentMask(n: number): Tensor {
    const later = zeros([n, n]).add(1).triu(1).to('bool');
    return zeros([n, n]).maskedFill(later, Number.NEGATIVE_INFINITY);
  }
}
