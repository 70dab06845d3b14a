// ViT: A. Dosovitskiy et al., An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale, ICLR 2021,
// section 3.1 and table 1: https://arxiv.org/abs/2010.11929

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import {
  Conv2d,
  Dropout,
  GELU,
  init,
  type Layer,
  LayerNorm,
  Linear,
  Module,
  MultiheadAttention,
  Parameter,
  Sequential,
} from '../../nn/index.ts';
import { zeros } from '../../tensor/create.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface ViTOptions {
  /** Height and width of the images. Default 224. */
  readonly imageSize?: number;
  /** P, height and width of a patch. Default 16. */
  readonly patchSize?: number;
  /** Default 12. */
  readonly numLayers?: number;
  /** Default 12. */
  readonly numHeads?: number;
  /** D, the width of a token. Default 768. */
  readonly hiddenDim?: number;
  /** Width inside the MLPs. Default 4 D. */
  readonly mlpDim?: number;
  /** Default 0. */
  readonly dropout?: number;
  /** Default 1000. */
  readonly numClasses?: number;
}

/** x + attention(norm(x)), then x + mlp(norm(x)): equations 2 and 3. (N, T, D) → (N, T, D). */
class EncoderBlock extends Module {
  readonly ln_1: LayerNorm;
  readonly self_attention: MultiheadAttention;
  readonly dropout: Dropout;
  readonly ln_2: LayerNorm;
  readonly mlp: Sequential;
  constructor(hiddenDim: number, numHeads: number, mlpDim: number, dropout: number) {
    super();
    this.ln_1 = new LayerNorm(hiddenDim, { eps: 1e-6 });
    this.self_attention = new MultiheadAttention(hiddenDim, numHeads, { batchFirst: true });
    this.dropout = new Dropout(dropout);
    this.ln_2 = new LayerNorm(hiddenDim, { eps: 1e-6 });
    this.mlp = new Sequential(
      new Linear(hiddenDim, mlpDim),
      new GELU(),
      new Dropout(dropout),
      new Linear(mlpDim, hiddenDim),
      new Dropout(dropout),
    );
    for (const m of this.mlp) {
      if (!(m instanceof Linear)) continue;
      init.xavierUniform_(m.weight);
      init.normal_(m.bias!, 0, 1e-6);
    }
  }
  forward(x: Tensor): Tensor {
    const h = this.ln_1(x); // (N, T, D)
    const [attended] = this.self_attention(h, h, h, { needWeights: false }); // (N, T, D)
    x = x.add(this.dropout(attended)); // (N, T, D)
    return x.add(this.mlp(this.ln_2(x))); // (N, T, D)
  }
}
/** Adds the positions, then the blocks and a last norm. (N, T, D) → (N, T, D). */
class Encoder extends Module {
  readonly pos_embedding: Parameter;
  readonly dropout: Dropout;
  readonly layers: Sequential;
  readonly ln: LayerNorm;
  constructor(
    tokens: number,
    numLayers: number,
    hiddenDim: number,
    block: () => EncoderBlock,
    dropout: number,
  ) {
    super();
    this.pos_embedding = new Parameter(zeros([1, tokens, hiddenDim]));
    init.normal_(this.pos_embedding, 0, 0.02);
    this.dropout = new Dropout(dropout);
    const named = Array.from({ length: numLayers }, (_, i): [string, Layer] => [
      `encoder_layer_${i}`,
      block(),
    ]);
    this.layers = new Sequential(Object.fromEntries(named));
    this.ln = new LayerNorm(hiddenDim, { eps: 1e-6 });
  }
  forward(x: Tensor): Tensor {
    x = this.dropout(x.add(this.pos_embedding)); // (N, T, D)
    return this.ln(this.layers(x)); // (N, T, D)
  }
}

/** An image as a sequence of patches for a Transformer encoder. (N, 3, H, W) → (N, numClasses). torchvision's keys. */
export class VisionTransformer extends Module {
  readonly class_token: Parameter;
  readonly conv_proj: Conv2d;
  readonly encoder: Encoder;
  readonly heads: Sequential;
  readonly imageSize: number;

  constructor(options: ViTOptions = {}) {
    super();
    const { imageSize = 224, patchSize = 16, numLayers = 12, numHeads = 12, hiddenDim = 768 } = options;
    const { mlpDim = 4 * hiddenDim, dropout = 0, numClasses = 1000 } = options;
    if (imageSize % patchSize !== 0)
      throw new ValueError(
        'VisionTransformer',
        'the size of images must be a multiple of that of patches',
        `${show(imageSize)} and ${show(patchSize)}`,
        '',
      );
    this.imageSize = imageSize;
    this.class_token = new Parameter(zeros([1, 1, hiddenDim]));
    this.conv_proj = new Conv2d(3, hiddenDim, patchSize, { stride: patchSize });
    const block = (): EncoderBlock => new EncoderBlock(hiddenDim, numHeads, mlpDim, dropout);
    this.encoder = new Encoder((imageSize / patchSize) ** 2 + 1, numLayers, hiddenDim, block, dropout);
    const head = new Linear(hiddenDim, numClasses);
    this.heads = new Sequential({ head });
    init.truncNormal_(this.conv_proj.weight, 0, Math.sqrt(1 / (3 * patchSize * patchSize)));
    init.zeros_(this.conv_proj.bias!);
    init.zeros_(head.weight);
    init.zeros_(head.bias!);
  }
  forward(x: Tensor): Tensor {
    const size = this.imageSize;
    if (x.shape[2] !== size || x.shape[3] !== size)
      throw new ShapeError('VisionTransformer', `images must be ${size} × ${size}`, showShape(x.shape), '');
    const patches = this.conv_proj(x).flatten(2).transpose(1, 2); // (N, T, D)
    const first = this.class_token.expand([x.shape[0]!, -1, -1]); // (N, 1, D)
    const tokens = this.encoder(cat([first, patches], 1)); // (N, T + 1, D)
    return this.heads(tokens.select(1, 0)); // (N, numClasses)
  }
}
/** ViT-B/16: 86.6 M parameters. */
export const vitB16 = (options: ViTOptions = {}): VisionTransformer => new VisionTransformer(options);
/** A small one for images of 32 × 32 (sizes ours): patches of 4, six layers of width 192 with three heads, 2.7 M parameters. */
export const vitSmall = (options: ViTOptions = {}): VisionTransformer =>
  new VisionTransformer({
    imageSize: 32,
    patchSize: 4,
    numLayers: 6,
    numHeads: 3,
    hiddenDim: 192,
    numClasses: 10,
    ...options,
  });
