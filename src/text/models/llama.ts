// Llama (Touvron et al. 2023, arXiv 2302.13971 and 2307.09288; in the form of llama2.c): blocks of causal attention and a
// gated net, RMS norms before them, no biases. Places are told by turning queries and keys (RoPE), queries may share keys
// and values (GQA), the net is SwiGLU (Shazeer 2020, arXiv 2002.05202). Keys as in Meta's checkpoints.
// In: tokens (B, T), T up to the context length. Out: logits of the token after each (B, T, V).
// Letters: B batch, T tokens, C width, H heads of queries, K heads of keys and values, D = C / H, F width of the net.

import { show, ValueError } from '../../base/errors.ts';
import { silu } from '../../nn/functional/activation.ts';
import { scaledDotProductAttention } from '../../nn/functional/attention.ts';
import { rotary } from '../../nn/functional/position.ts';
import { Embedding, init, KVCache, Linear, Module, ModuleList, RMSNorm } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { parseLlamaFile } from '../llama-file.ts';
import type { NextLogits } from '../sampling.ts';
import { CachedReader, type Past } from './cached-reader.ts';
import type { LanguageModel } from './language-model.ts';

export interface LlamaOptions {
  /** Longest text, in tokens. Default 64. */
  readonly contextLength?: number;
  /** C. Default 128. */
  readonly dModel?: number;
  /** Default 4. */
  readonly layers?: number;
  /** H. Default 4. */
  readonly heads?: number;
  /** K, which divides H. Default H. */
  readonly kvHeads?: number;
  /** F. Default ⅔ · 4C, rounded up to a multiple of 32. */
  readonly hidden?: number;
  /** Of RoPE. Default 10000. */
  readonly ropeBase?: number;
  /** Of the norms. Default 1e-5. */
  readonly eps?: number;
  /** Whether the table of tokens is the last layer too. Default true. */
  readonly tied?: boolean;
}
type Sizes = Required<LlamaOptions>;
const linear = (from: number, to: number): Linear => new Linear(from, to, { bias: false });

class Attention extends Module {
  readonly sizes: Sizes;
  wq: Linear;
  wk: Linear;
  wv: Linear;
  wo: Linear;
  constructor(o: Sizes) {
    super();
    this.sizes = o;
    const D = o.dModel / o.heads;
    this.wq = linear(o.dModel, o.heads * D);
    this.wk = linear(o.dModel, o.kvHeads * D);
    this.wv = linear(o.dModel, o.kvHeads * D);
    this.wo = linear(o.heads * D, o.dModel);
  }
  forward(x: Tensor, cache: KVCache | null, start: number | Tensor): Tensor {
    const { heads: H, kvHeads: K, ropeBase: base } = this.sizes;
    const [B, T, C] = x.shape as [number, number, number];
    const split = (t: Tensor, n: number): Tensor => t.reshape(B, T, n, C / H).transpose(1, 2);
    const q = rotary(split(this.wq(x), H), { start, base }); // (B, H, T, D)
    const k = rotary(split(this.wk(x), K), { start, base }); // (B, K, T, D)
    const v = split(this.wv(x), K); // (B, K, T, D)
    const y =
      cache === null
        ? scaledDotProductAttention(q, k, v, { isCausal: true, enableGqa: true })
        : cache.attend(q, k, v, start); // (B, H, T, D)
    return this.wo(y.transpose(1, 2).reshape(B, T, C)); // (B, T, C)
  }
}
/** w2(silu(w1 x) · w3 x). */
class FeedForward extends Module {
  w1: Linear;
  w2: Linear;
  w3: Linear;
  constructor(C: number, F: number) {
    super();
    this.w1 = linear(C, F);
    this.w2 = linear(F, C);
    this.w3 = linear(C, F);
  }
  forward(x: Tensor): Tensor {
    return this.w2(silu(this.w1(x)).mul(this.w3(x))); // (B, T, C)
  }
}
class Block extends Module {
  attention_norm: RMSNorm;
  attention: Attention;
  ffn_norm: RMSNorm;
  feed_forward: FeedForward;
  constructor(o: Sizes) {
    super();
    this.attention_norm = new RMSNorm(o.dModel, { eps: o.eps });
    this.attention = new Attention(o);
    this.ffn_norm = new RMSNorm(o.dModel, { eps: o.eps });
    this.feed_forward = new FeedForward(o.dModel, o.hidden);
  }
  forward(x: Tensor, cache: KVCache | null, start: number | Tensor): Tensor {
    const h = x.add(this.attention(this.attention_norm(x), cache, start));
    return h.add(this.feed_forward(this.ffn_norm(h))); // (B, T, C)
  }
}

/** Tokens, blocks, norm, and a layer of scores. x (B, T) → (B, T, vocabSize). */
export class Llama extends Module implements LanguageModel {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly sizes: Sizes;
  tok_embeddings: Embedding;
  layers: ModuleList<Block>;
  norm: RMSNorm;
  output: Linear;
  private cached: CachedReader | null = null;
  constructor(vocabSize: number, options: LlamaOptions = {}) {
    super();
    const { dModel = 128, heads = 4, kvHeads = heads } = options;
    const o: Sizes = {
      contextLength: 64,
      layers: 4,
      hidden: 32 * Math.ceil((8 * dModel) / 3 / 32),
      ropeBase: 10_000,
      eps: 1e-5,
      tied: true,
      ...options,
      dModel,
      heads,
      kvHeads,
    };
    if (dModel % (2 * heads) !== 0 || heads % kvHeads !== 0)
      throw new ValueError(
        'Llama',
        'heads must have an even width, and kvHeads divide heads',
        `${heads} heads, ${kvHeads} of keys, for ${dModel}`,
        '',
      );
    this.vocabSize = vocabSize;
    this.contextLength = o.contextLength;
    this.sizes = o;
    this.tok_embeddings = new Embedding(vocabSize, dModel);
    this.layers = new ModuleList(Array.from({ length: o.layers }, () => new Block(o)));
    this.norm = new RMSNorm(dModel, { eps: o.eps });
    this.output = linear(dModel, vocabSize);
    if (o.tied) this.output.weight = this.tok_embeddings.weight;
    this.resetParameters();
  }
  /** N(0, 0.02²); what a block adds is scaled by 1/√(2 · layers), as in GPT-2 and llama2.c. */
  private resetParameters(): void {
    const small = 0.02 / Math.sqrt(2 * this.sizes.layers);
    for (const [name, p] of this.namedParameters())
      if (p.ndim === 2) init.normal_(p, 0, /\.(wo|w2)\.weight$/.test(name) ? small : 0.02);
  }
  /** From a .bin of llama2.c. */
  static fromBytes(bytes: Uint8Array, file?: string): Llama {
    const { vocabSize, options, tensors } = parseLlamaFile(bytes, file);
    const model = new Llama(vocabSize, options);
    model.loadStateDict(tensors);
    return model.eval() as Llama;
  }
  /** With a `past`, the tokens are those from its place on, and their keys and values are kept in its caches. */
  forward(x: Tensor, past: Past | null = null): Tensor {
    const T = x.shape[1] ?? 0;
    if (x.ndim !== 2 || T > this.contextLength)
      throw new ValueError(
        'Llama',
        `texts have at most ${this.contextLength} tokens`,
        show(T),
        'cut the text, or make contextLength greater',
      );
    let h = this.tok_embeddings(x); // (B, T, C)
    for (const [i, block] of [...this.layers].entries())
      h = block(h, past?.caches[i] ?? null, past?.start ?? 0);
    return this.output(this.norm(h)); // (B, T, V)
  }
  caches(): KVCache[] {
    const { kvHeads, dModel, heads, contextLength } = this.sizes;
    const shape = { heads: kvHeads, places: contextLength, headDim: dModel / heads };
    return Array.from(this.layers, () => new KVCache(shape));
  }
  /** Reads what is new alone; of a text longer than the context its end, at least half of it. */
  reader(): NextLogits {
    this.cached ??= new CachedReader(this);
    return this.cached.reader();
  }
}
