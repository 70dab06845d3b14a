// The GPT and the Mamba that are measured, the same nets as in peers/pytorch.py. Letters: B batch, T context, C width, H heads,
// D = C / H, V vocabulary.

import { AdamW, arange, F, type Tensor } from '../src/index.ts';
import { Embedding, GELU, LayerNorm, Linear, Module, Sequential } from '../src/nn/index.ts';
import { MambaLM } from '../src/text/index.ts';
import { batches, type Step } from './serve.ts';
import { trainingStep } from './training-step.ts';
import type { Gpt, Mamba, TokenNet } from './workloads.ts';

class Block extends Module {
  readonly heads: number;
  n1: LayerNorm;
  n2: LayerNorm;
  qkv: Linear;
  out: Linear;
  mlp: Sequential;
  constructor(C: number, heads: number) {
    super();
    this.heads = heads;
    this.n1 = new LayerNorm(C);
    this.n2 = new LayerNorm(C);
    this.qkv = new Linear(C, 3 * C);
    this.out = new Linear(C, C);
    this.mlp = new Sequential(new Linear(C, 4 * C), new GELU(), new Linear(4 * C, C));
  }
  forward(x: Tensor): Tensor {
    const [B, T, C] = x.shape as unknown as [number, number, number];
    const all = this.qkv(this.n1(x))
      .reshape([B, T, 3, this.heads, C / this.heads])
      .permute(2, 0, 3, 1, 4);
    const [q, k, v] = [0, 1, 2].map(i => all.select(0, i)) as [Tensor, Tensor, Tensor]; // (B, H, T, D)
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true }); // (B, H, T, D)
    const h = x.add(this.out(y.transpose(1, 2).reshape([B, T, C]))); // (B, T, C)
    return h.add(this.mlp(this.n2(h)));
  }
}
class Net extends Module {
  tokens: Embedding;
  places: Embedding;
  blocks: Sequential;
  norm: LayerNorm;
  head: Linear;
  constructor({ vocabulary: V, context: T, width: C, heads, layers }: Gpt) {
    super();
    this.tokens = new Embedding(V, C);
    this.places = new Embedding(T, C);
    this.blocks = new Sequential(...Array.from({ length: layers }, () => new Block(C, heads)));
    this.norm = new LayerNorm(C);
    this.head = new Linear(C, V, { bias: false });
  }
  forward(x: Tensor): Tensor {
    const h = this.tokens(x).add(this.places(arange(x.shape[1]!))); // (B, T, C)
    return this.head(this.norm(this.blocks(h))).flatten(0, 1); // (B · T, V)
  }
}

/** A whole training step: fresh batch in, AdamW, loss read. */
export function gpt(spec: Gpt): Step {
  const net = new Net(spec);
  const optimizer = new AdamW(net.parameters(), { lr: 1e-3, betas: [0.9, 0.99], weightDecay: 0.1 });
  return tokenSteps(x => net(x), optimizer, spec);
}

/** The same of a Mamba. */
export function mamba(spec: Mamba): Step {
  const net = new MambaLM(spec.vocabulary, { layers: spec.layers, dModel: spec.width });
  const optimizer = new AdamW(net.parameters(), { lr: 1e-3 });
  return tokenSteps(x => net(x).flatten(0, 1), optimizer, spec);
}

/** Training steps of a net that gives logits (B · T, V) for tokens (B, T). */
export function tokenSteps(
  net: (x: Tensor) => Tensor,
  optimizer: Pick<AdamW, 'zeroGrad' | 'step'>,
  { context, vocabulary, batch }: TokenNet,
): Step {
  const step = trainingStep(net, optimizer);
  const tokens = batches(0, vocabulary, batch * context).map(b => b.y);
  return i => step(tokens[i % 8]!, [batch, context], tokens[(i + 1) % 8]!);
}
