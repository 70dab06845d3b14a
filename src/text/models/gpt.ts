// GPT (Radford et al. 2019, "Language models are unsupervised multitask learners"; in the form of nanoGPT): blocks of causal
// self-attention and a two-layer net, norms before them. Keys as in GPT-2's checkpoints; their Conv1D weights are transposed.
// In: tokens (B, T), T up to the context length. Out: logits of the token after each (B, T, V).

import { show, ValueError } from '../../base/errors.ts';
import { gelu } from '../../nn/functional/activation.ts';
import { scaledDotProductAttention } from '../../nn/functional/attention.ts';
import { Dropout, Embedding, init, KVCache, LayerNorm, Linear, Module, ModuleList } from '../../nn/index.ts';
import { arange } from '../../tensor/create.ts';
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
}

class CausalSelfAttention extends Module {
  readonly heads: number;
  readonly p: number;
  c_attn: Linear;
  c_proj: Linear;
  drop: Dropout;
  constructor(C: number, heads: number, p: number) {
    super();
    this.heads = heads;
    this.p = p;
    this.c_attn = new Linear(C, 3 * C);
    this.c_proj = new Linear(C, C);
    this.drop = new Dropout(p);
  }
  forward(x: Tensor, cache: KVCache | null, start: number | Tensor): Tensor {
    const [B, T, C] = x.shape as unknown as [number, number, number];
    const split = (t: Tensor): Tensor => t.reshape([B, T, this.heads, C / this.heads]).transpose(1, 2); // (B, H, T, D)
    const [q, k, v] = this.c_attn(x).chunk(3, -1).map(split) as [Tensor, Tensor, Tensor];
    const dropoutP = this.training ? this.p : 0;
    const y =
      cache === null
        ? scaledDotProductAttention(q, k, v, { isCausal: true, dropoutP })
        : cache.attend(q, k, v, start); // (B, H, T, D)
    return this.drop(this.c_proj(y.transpose(1, 2).reshape([B, T, C]))); // (B, T, C)
  }
}
class MLP extends Module {
  c_fc: Linear;
  c_proj: Linear;
  drop: Dropout;
  constructor(C: number, p: number) {
    super();
    this.c_fc = new Linear(C, 4 * C);
    this.c_proj = new Linear(4 * C, C);
    this.drop = new Dropout(p);
  }
  forward(x: Tensor): Tensor {
    return this.drop(this.c_proj(gelu(this.c_fc(x)))); // (B, T, C)
  }
}
class Block extends Module {
  ln_1: LayerNorm;
  attn: CausalSelfAttention;
  ln_2: LayerNorm;
  mlp: MLP;
  constructor(C: number, heads: number, p: number) {
    super();
    this.ln_1 = new LayerNorm(C);
    this.attn = new CausalSelfAttention(C, heads, p);
    this.ln_2 = new LayerNorm(C);
    this.mlp = new MLP(C, p);
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
  constructor(vocabSize: number, o: Required<GPTOptions>) {
    super();
    this.wte = new Embedding(vocabSize, o.dModel);
    this.wpe = new Embedding(o.contextLength, o.dModel);
    this.drop = new Dropout(o.dropout);
    this.h = new ModuleList(Array.from({ length: o.layers }, () => new Block(o.dModel, o.heads, o.dropout)));
    this.ln_f = new LayerNorm(o.dModel);
  }
  forward(x: Tensor, past: Past | null): Tensor {
    const start = past?.start ?? 0;
    const places = arange(x.shape[1]!).add(start).to('int64'); // (T)
    let h = this.drop(this.wte(x).add(this.wpe(places))); // (B, T, C)
    for (const [i, block] of [...this.h].entries()) h = block(h, past?.caches[i] ?? null, start);
    return this.ln_f(h);
  }
}

/** Tokens and places, blocks, norm, and the table of tokens again as the last layer. x (B, T) → (B, T, vocabSize). */
export class GPT extends Module implements LanguageModel {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly sizes: Required<GPTOptions>;
  transformer: Transformer;
  lm_head: Linear;
  private cached: CachedReader | null = null;
  constructor(vocabSize: number, options: GPTOptions = {}) {
    super();
    const o = { contextLength: 64, dModel: 128, layers: 4, heads: 4, dropout: 0, ...options };
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
  caches(): KVCache[] {
    const { heads, layers, dModel, contextLength } = this.sizes;
    const shape = { heads, places: contextLength, headDim: dModel / heads };
    return Array.from({ length: layers }, () => new KVCache(shape));
  }
  /** Reads what is new alone; of a text longer than the context its end, at least half of it. */
  reader(): NextLogits {
    this.cached ??= new CachedReader(this);
    return this.cached.reader();
  }
}
