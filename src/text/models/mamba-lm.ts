// A language model of Mamba blocks (Gu and Dao 2023, arXiv 2312.00752, section 3.4): in training the whole text at once, in
// writing one token at a time from a state of constant size. Keys as in the official checkpoints.
// In: tokens (B, T). Out: logits of the token after each (B, T, V).

import { ValueError } from '../../base/errors.ts';
import {
  Embedding,
  init,
  Linear,
  Mamba,
  type MambaOptions,
  type MambaState,
  Module,
  ModuleList,
  RMSNorm,
  type StateDict,
} from '../../nn/index.ts';
import { compile } from '../../tensor/compile.ts';
import { tensor } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { NextLogits } from '../sampling.ts';
import { checkContext, type LanguageModel } from './language-model.ts';

export interface MambaLMOptions {
  /** Width of the model, C. Default 64. */
  readonly dModel?: number;
  /** Blocks. Default 2. */
  readonly layers?: number;
  /** States per channel. Default 16. */
  readonly dState?: number;
  /** Window of the convolution. Default 4. */
  readonly dConv?: number;
  /** Inner channels per channel of the model. Default 2. */
  readonly expand?: number;
}
const EPS = 1e-5;

/** x + Mamba(RMSNorm(x)). */
class Block extends Module {
  mixer: Mamba;
  norm: RMSNorm;
  constructor(dModel: number, options: MambaOptions) {
    super();
    this.mixer = new Mamba(dModel, options);
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
  constructor(vocabSize: number, dModel: number, layers: number, options: MambaOptions) {
    super();
    this.embedding = new Embedding(vocabSize, dModel);
    this.layers = new ModuleList(Array.from({ length: layers }, () => new Block(dModel, options)));
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
    const { dModel = 64, layers = 2, ...mixer } = options;
    this.vocabSize = vocabSize;
    this.backbone = new Backbone(vocabSize, dModel, layers, mixer);
    this.lm_head = new Linear(dModel, vocabSize, { bias: false });
    this.lm_head.weight = this.backbone.embedding.weight;
  }
  /** From the tensors of an official checkpoint (state-spaces/mamba-130m and its kin), whose shapes tell the sizes. */
  static fromCheckpoint(tensors: StateDict): MambaLM {
    const of = (key: string): readonly number[] => {
      const t = tensors[key];
      if (t === undefined)
        throw new ValueError(
          'MambaLM.fromCheckpoint',
          `there must be ${key}`,
          Object.keys(tensors).join(', '),
          '',
        );
      return t.shape;
    };
    const [V, C] = of('backbone.embedding.weight') as [number, number];
    const [inner, dState] = of('backbone.layers.0.mixer.A_log') as [number, number];
    const model = new MambaLM(V, {
      dModel: C,
      layers: Object.keys(tensors).filter(key => key.endsWith('.mixer.A_log')).length,
      dState,
      dConv: of('backbone.layers.0.mixer.conv1d.weight')[2]!,
      expand: inner / C,
    });
    model.loadStateDict({ 'lm_head.weight': tensors['backbone.embedding.weight']!, ...tensors });
    return model.eval() as MambaLM;
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
      checkContext('MambaLM', context);
      for (; read < context.length; read++) {
        const next = this.compiledStep(tensor([context[read]!], { dtype: 'int64' }), states);
        logits = next.logits;
        states = next.states;
      }
      return logits!.squeeze(0);
    };
  }
}
