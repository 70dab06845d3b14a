// GPT (Radford et al. 2019, "Language models are unsupervised multitask learners"; in the form of nanoGPT): blocks of causal
// self-attention and a two-layer net, norms before them. Keys as in GPT-2's checkpoints; their Conv1D weights are transposed.
// In: tokens (B, T), T up to the context length. Out: logits of the token after each (B, T, V).

import { show, ValueError } from '../../base/errors.ts';
import { gelu } from '../../nn/functional/activation.ts';
import { scaledDotProductAttention } from '../../nn/functional/attention.ts';
import {
  Dropout,
  Embedding,
  init,
  KVCache,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
  type StateDict,
} from '../../nn/index.ts';
import { arange, ones } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { NextLogits } from '../sampling.ts';
import { CachedReader, type Past } from './cached-reader.ts';
import type { LanguageModel } from './language-model.ts';

export interface GPTOptions {
  /** Longest text, in tokens. Default 64. */
  readonly contextLength?: number;
  /** Width, C. Default 128. */
  readonly dModel?: number;
  /** Default 4. */
  readonly layers?: number;
  /** Heads, which share C. Default 4. */
  readonly heads?: number;
  /** Default 0. */
  readonly dropout?: number;
  /** Whether norms and linear layers have biases. Default true. */
  readonly bias?: boolean;
  /** The bend in the net of a block: GELU, or its form with tanh, which GPT-2 was trained with. Default 'none'. */
  readonly approximate?: 'none' | 'tanh';
}
/** OpenAI's four, with their 50257 tokens and contexts of 1024. */
export const GPT2_SIZES = {
  gpt2: { layers: 12, heads: 12, dModel: 768 },
  'gpt2-medium': { layers: 24, heads: 16, dModel: 1024 },
  'gpt2-large': { layers: 36, heads: 20, dModel: 1280 },
  'gpt2-xl': { layers: 48, heads: 25, dModel: 1600 },
} as const;

type Sizes = Required<GPTOptions>;

class CausalSelfAttention extends Module {
  readonly heads: number;
  readonly p: number;
  c_attn: Linear;
  c_proj: Linear;
  drop: Dropout;
  constructor({ dModel: C, heads, dropout: p, bias }: Sizes) {
    super();
    this.heads = heads;
    this.p = p;
    this.c_attn = new Linear(C, 3 * C, { bias });
    this.c_proj = new Linear(C, C, { bias });
    this.drop = new Dropout(p);
  }
  /** Queries, keys and values. (B, H, T, D) each */
  private parts(x: Tensor): [q: Tensor, k: Tensor, v: Tensor] {
    const [B, T, C] = x.shape as unknown as [number, number, number];
    const split = (t: Tensor): Tensor => t.reshape([B, T, this.heads, C / this.heads]).transpose(1, 2);
    return this.c_attn(x).chunk(3, -1).map(split) as [Tensor, Tensor, Tensor];
  }
  /** What each place looks at. (B, H, T, T) */
  weights(x: Tensor): Tensor {
    const [q, k] = this.parts(x);
    const T = q.shape[2]!;
    const later = ones([T, T], { dtype: 'bool' }).triu(1);
    const scores = q.matmul(k.mT).div(Math.sqrt(q.shape[3]!)); // (B, H, T, T)
    return scores.maskedFill(later, Number.NEGATIVE_INFINITY).softmax(-1);
  }
  forward(x: Tensor, cache: KVCache | null, start: number | Tensor): Tensor {
    const [B, T, C] = x.shape as unknown as [number, number, number];
    const [q, k, v] = this.parts(x);
    const dropoutP = this.training ? this.p : 0;
    const y =
      cache === null
        ? scaledDotProductAttention(q, k, v, { isCausal: true, dropoutP })
        : cache.attend(q, k, v, start); // (B, H, T, D)
    return this.drop(this.c_proj(y.transpose(1, 2).reshape([B, T, C]))); // (B, T, C)
  }
}
class MLP extends Module {
  readonly approximate: 'none' | 'tanh';
  c_fc: Linear;
  c_proj: Linear;
  drop: Dropout;
  constructor({ dModel: C, dropout: p, bias, approximate }: Sizes) {
    super();
    this.approximate = approximate;
    this.c_fc = new Linear(C, 4 * C, { bias });
    this.c_proj = new Linear(4 * C, C, { bias });
    this.drop = new Dropout(p);
  }
  forward(x: Tensor): Tensor {
    return this.drop(this.c_proj(gelu(this.c_fc(x), { approximate: this.approximate }))); // (B, T, C)
  }
}
class Block extends Module {
  ln_1: LayerNorm;
  attn: CausalSelfAttention;
  ln_2: LayerNorm;
  mlp: MLP;
  constructor(o: Sizes) {
    super();
    this.ln_1 = new LayerNorm(o.dModel, { bias: o.bias });
    this.attn = new CausalSelfAttention(o);
    this.ln_2 = new LayerNorm(o.dModel, { bias: o.bias });
    this.mlp = new MLP(o);
  }
  forward(x: Tensor, cache: KVCache | null, start: number | Tensor): Tensor {
    const h = x.add(this.attn(this.ln_1(x), cache, start));
    return h.add(this.mlp(this.ln_2(h))); // (B, T, C)
  }
}
class Transformer extends Module {
  wte: Embedding;
  wpe: Embedding;
  drop: Dropout;
  h: ModuleList<Block>;
  ln_f: LayerNorm;
  constructor(vocabSize: number, o: Sizes) {
    super();
    this.wte = new Embedding(vocabSize, o.dModel);
    this.wpe = new Embedding(o.contextLength, o.dModel);
    this.drop = new Dropout(o.dropout);
    this.h = new ModuleList(Array.from({ length: o.layers }, () => new Block(o)));
    this.ln_f = new LayerNorm(o.dModel, { bias: o.bias });
  }
  embedded(x: Tensor, start: number | Tensor): Tensor {
    const places = arange(x.shape[1]!).add(start).to('int64'); // (T)
    return this.drop(this.wte(x).add(this.wpe(places))); // (B, T, C)
  }
  forward(x: Tensor, past: Past | null): Tensor {
    const start = past?.start ?? 0;
    let h = this.embedded(x, start); // (B, T, C)
    for (const [i, block] of [...this.h].entries()) h = block(h, past?.caches[i] ?? null, start);
    return this.ln_f(h);
  }
}

/** Tokens and places, blocks, norm, and the table of tokens again as the last layer. x (B, T) → (B, T, vocabSize). */
export class GPT extends Module implements LanguageModel {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly sizes: Sizes;
  transformer: Transformer;
  lm_head: Linear;
  private cached: CachedReader | null = null;
  constructor(vocabSize: number, options: GPTOptions = {}) {
    super();
    const o: Sizes = {
      contextLength: 64,
      dModel: 128,
      layers: 4,
      heads: 4,
      dropout: 0,
      bias: true,
      approximate: 'none',
      ...options,
    };
    if (o.dModel % o.heads !== 0)
      throw new ValueError('GPT', 'heads must divide dModel', `${o.heads} heads for ${o.dModel}`, '');
    this.vocabSize = vocabSize;
    this.contextLength = o.contextLength;
    this.sizes = o;
    this.transformer = new Transformer(vocabSize, o);
    this.lm_head = new Linear(o.dModel, vocabSize, { bias: false });
    this.lm_head.weight = this.transformer.wte.weight;
    this.resetParameters(o.layers);
  }
  /** N(0, 0.02²), zero biases; what a block adds is scaled by 1/√(2 · layers), as GPT-2 has it. */
  private resetParameters(layers: number): void {
    for (const [name, p] of this.namedParameters()) {
      if (name.endsWith('.bias')) init.zeros_(p);
      else if (p.ndim === 2)
        init.normal_(p, 0, name.endsWith('c_proj.weight') ? 0.02 / Math.sqrt(2 * layers) : 0.02);
    }
  }
  /** With a `past`, the tokens are those from its place on, and their keys and values are kept in its caches. */
  forward(x: Tensor, past: Past | null = null): Tensor {
    const T = x.shape[1] ?? 0;
    if (x.ndim !== 2 || T > this.contextLength)
      throw new ValueError(
        'GPT',
        `texts have at most ${this.contextLength} tokens`,
        show(T),
        'cut the text, or make contextLength greater',
      );
    return this.lm_head(this.transformer(x, past)); // (B, T, V)
  }
  /**
   * GPT-2 from the tensors of its published files, by Hugging Face's names: with or without `transformer.` before them, and
   * with the products of Conv1D (in, out), which are turned. Sizes are those of the tensors; heads are C / 64 by default.
   */
  static fromGpt2(tensors: StateDict, options: { readonly heads?: number } = {}): GPT {
    const named: StateDict = {};
    for (const [name, t] of Object.entries(tensors)) {
      const key = name.replace(/^transformer\./, '');
      // Masks and the last layer, which is the table of tokens, are not weights.
      if (key === 'lm_head.weight' || /\.attn\.(masked_)?bias$/.test(key)) continue;
      named[`transformer.${key}`] = /\.c_\w+\.weight$/.test(key) ? t.t() : t;
    }
    const [wte, wpe] = ['wte', 'wpe'].map(name => named[`transformer.${name}.weight`]);
    if (wte === undefined || wpe === undefined)
      throw new ValueError(
        'GPT.fromGpt2',
        'tensors have the names of GPT-2',
        Object.keys(tensors).join(', '),
        '',
      );
    const [V, C] = wte.shape as [number, number];
    const model = new GPT(V, {
      contextLength: wpe.shape[0]!,
      dModel: C,
      layers: Object.keys(named).filter(key => key.endsWith('.ln_1.weight')).length,
      heads: options.heads ?? C / 64,
      approximate: 'tanh',
    });
    model.loadStateDict({ ...named, 'lm_head.weight': wte });
    return model.eval() as GPT;
  }
  caches(): KVCache[] {
    const { heads, layers, dModel, contextLength } = this.sizes;
    const shape = { heads, places: contextLength, headDim: dModel / heads };
    return Array.from({ length: layers }, () => new KVCache(shape));
  }
  /** What each place looks at, in each layer, for pictures: (B, H, T, T) each. */
  attention(x: Tensor): Tensor[] {
    return noGrad(() => {
      let h = this.transformer.embedded(x, 0); // (B, T, C)
      return [...this.transformer.h].map(block => {
        const weights = block.attn.weights(block.ln_1(h));
        h = block(h, null, 0);
        return weights;
      });
    });
  }
  /** Reads what is new alone; of a text longer than the context its end, at least half of it. */
  reader(): NextLogits {
    this.cached ??= new CachedReader(this);
    return this.cached.reader();
  }
}
