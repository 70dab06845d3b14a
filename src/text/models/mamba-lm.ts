// A language model of Mamba blocks (Gu and Dao 2023, arXiv 2312.00752, section 3.4): in training the whole text at once, in
// writing one token at a time from a state of constant size. Keys as in the official checkpoints.
// In: tokens (B, T). Out: logits of the token after each (B, T, V).

import {
  Embedding,
  init,
  Linear,
  Mamba,
  type MambaState,
  Module,
  ModuleList,
  RMSNorm,
} from '../../nn/index.ts';
import { compile } from '../../tensor/compile.ts';
import { tensor } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { NextLogits } from '../sampling.ts';
import type { LanguageModel } from './language-model.ts';

export interface MambaLMOptions {
  /** Width of the model, C. Default 64. */
  readonly dModel?: number;
  /** Blocks. Default 2. */
  readonly layers?: number;
  /** States per channel. Default 16. */
  readonly dState?: number;
}
const EPS = 1e-5;

/** x + Mamba(RMSNorm(x)). */
class Block extends Module {
  mixer: Mamba;
  norm: RMSNorm;
  constructor(dModel: number, dState: number) {
    super();
    this.mixer = new Mamba(dModel, { dState });
    this.norm = new RMSNorm(dModel, { eps: EPS });
  }
  forward(x: Tensor): Tensor {
    return x.add(this.mixer(this.norm(x))); // (B, T, C)
  }
  step(x: Tensor, state: MambaState): { y: Tensor; state: MambaState } {
    const next = this.mixer.step(this.norm(x), state);
    return { y: x.add(next.y), state: next.state }; // (B, C)
  }
}
class Backbone extends Module {
  embedding: Embedding;
  layers: ModuleList<Block>;
  norm_f: RMSNorm;
  constructor(vocabSize: number, dModel: number, layers: number, dState: number) {
    super();
    this.embedding = new Embedding(vocabSize, dModel);
    this.layers = new ModuleList(Array.from({ length: layers }, () => new Block(dModel, dState)));
    this.norm_f = new RMSNorm(dModel, { eps: EPS });
    init.normal_(this.embedding.weight, 0, 0.02);
    // As GPT-2: what comes out of a block shrinks with the number of blocks that add up.
    noGrad(() => {
      for (const block of this.layers) block.mixer.out_proj.weight.div_(Math.sqrt(layers));
    });
  }
  forward(x: Tensor): Tensor {
    let h = this.embedding(x); // (B, T, C)
    for (const block of this.layers) h = block(h); // (B, T, C)
    return this.norm_f(h); // (B, T, C)
  }
}

/** Embedding, blocks, norm, and the embedding again as the last layer. x (B, T) → (B, T, vocabSize). */
export class MambaLM extends Module implements LanguageModel {
  readonly vocabSize: number;
  backbone: Backbone;
  lm_head: Linear;
  private readonly compiledStep = compile((x: Tensor, states: readonly MambaState[]) =>
    noGrad(() => this.step(x, states)),
  );
  constructor(vocabSize: number, options: MambaLMOptions = {}) {
    super();
    const { dModel = 64, layers = 2, dState = 16 } = options;
    this.vocabSize = vocabSize;
    this.backbone = new Backbone(vocabSize, dModel, layers, dState);
    this.lm_head = new Linear(dModel, vocabSize, { bias: false });
    this.lm_head.weight = this.backbone.embedding.weight;
  }
  forward(x: Tensor): Tensor {
    return this.lm_head(this.backbone(x)); // (B, T, V)
  }
  /** The states before the first token, one a block. */
  initialStates(batch: number): MambaState[] {
    return [...this.backbone.layers].map(block => block.mixer.initialState(batch));
  }
  /** One token: x (B) and the states before it give logits (B, V) and the states after it. */
  step(x: Tensor, states: readonly MambaState[]): { logits: Tensor; states: MambaState[] } {
    let h = this.backbone.embedding(x); // (B, C)
    const after: MambaState[] = [];
    for (const [i, block] of [...this.backbone.layers].entries()) {
      const next = block.step(h, states[i]!);
      h = next.y; // (B, C)
      after.push(next.state);
    }
    return { logits: this.lm_head(this.backbone.norm_f(h)), states: after };
  }
  /** Logits after a context that grows: each token is read once, however long the text is. */
  reader(): NextLogits {
    let states = this.initialStates(1);
    let read = 0;
    let logits: Tensor | null = null;
    return async context => {
      for (; read < context.length; read++) {
        const next = this.compiledStep(tensor([context[read]!], { dtype: 'int64' }), states);
        logits = next.logits;
        states = next.states;
      }
      return logits!.squeeze(0);
    };
  }
}
