// Trainings step by step: the model of the case in TypeScript from PyTorch's weights, every loss and the final weights
// against PyTorch's.

import { Adam, AdamW, cat, F, nn, ones, optim, randn, type Tensor } from '../../src/index.ts';
import { compare, Mismatch, Missing } from './check.ts';
import { type Case, type Stored, toTensor } from './format.ts';

type Named = Record<string, Tensor>;
interface Training {
  readonly model: () => nn.Module;
  /** The losses before each step, and what the trained model gives. */
  readonly run: (model: nn.Module, data: Named, steps: number) => { losses: number[]; outputs: Named };
}

class LeNet extends nn.Module {
  readonly conv1 = new nn.Conv2d(1, 6, 3, { padding: 1 });
  readonly conv2 = new nn.Conv2d(6, 8, 3);
  readonly fc1 = new nn.Linear(8, 16);
  readonly fc2 = new nn.Linear(16, 10);
  forward(x: Tensor): Tensor {
    x = F.maxPool2d(this.conv1(x).relu(), 2);
    x = F.maxPool2d(this.conv2(x).relu(), 2);
    return this.fc2(this.fc1(x.flatten(1)).relu());
  }
}

class GruNet extends nn.Module {
  readonly rnn = new nn.GRU(4, 8, { bidirectional: true, batchFirst: true });
  readonly head = new nn.Linear(16, 3);
  forward(x: Tensor, n: Tensor): Tensor {
    const h = this.rnn(nn.packPaddedSequence(x, n, { batchFirst: true, enforceSorted: false }))[1];
    return this.head(cat([h.at(0), h.at(1)], 1));
  }
}
class TransformerLM extends nn.Module {
  readonly tok = new nn.Embedding(12, 16);
  readonly pos = new nn.Parameter(randn([1, 10, 16]).mul(0.1));
  readonly enc = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(16, 2, {
      dimFeedforward: 32,
      dropout: 0,
      activation: 'gelu',
      batchFirst: true,
      normFirst: true,
    }),
    2,
    new nn.LayerNorm(16),
  );
  readonly head = new nn.Linear(16, 12, { bias: false });
  constructor() {
    super();
    this.head.weight = this.tok.weight;
  }
  forward(x: Tensor): Tensor {
    const T = x.shape[1]!;
    const mask = ones([T, T], { dtype: 'bool' }).triu(1);
    return this.head(this.enc(this.tok(x).add(this.pos.narrow(1, 0, T)), { mask }));
  }
}
class MambaBlock extends nn.Module {
  readonly norm = new nn.RMSNorm(12, { eps: 1e-5 });
  readonly mixer = new nn.Mamba(12, { dState: 4, dConv: 4, expand: 2 });
  forward(x: Tensor): Tensor {
    return x.add(this.mixer(this.norm(x)));
  }
}
class MambaLM extends nn.Module {
  readonly embedding = new nn.Embedding(12, 12);
  readonly layers = new nn.ModuleList([new MambaBlock(), new MambaBlock()]);
  readonly norm_f = new nn.RMSNorm(12, { eps: 1e-5 });
  forward(x: Tensor): Tensor {
    let h = this.embedding(x);
    for (const layer of this.layers) h = layer(h);
    return this.norm_f(h).matmul(this.embedding.weight.T);
  }
}
/** A language model on fixed windows: the loss before each of `steps` updates, and the logits at the end. */
function languageModel(
  model: nn.Layer,
  { x, y }: Named,
  steps: number,
  optimizer: AdamW,
  schedule?: { step(): unknown },
): { losses: number[]; outputs: Named } {
  const losses = Array.from({ length: steps }, () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(x!).reshape(-1, 12), y!.reshape(-1));
    loss.backward();
    nn.clipGradNorm_(model.parameters(), 1);
    optimizer.step();
    schedule?.step();
    return loss.itemSync();
  });
  return { losses, outputs: { logits: model(x!) } };
}

const TRAININGS: Readonly<Record<string, Training>> = {
  'train/lenet_adam': {
    model: () => new LeNet(),
    run: (model, { x, y }, steps) => {
      const net = model as LeNet;
      const optimizer = new Adam(net.parameters(), { lr: 0.01 });
      const losses = Array.from({ length: steps }, () => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(net(x!), y!);
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      });
      return { losses, outputs: { logits: net(x!) } };
    },
  },
  'train/gru_packed_rmsprop': {
    model: () => new GruNet(),
    run: (model, { x, n, y }, steps) => {
      const net = model as GruNet;
      const optimizer = new optim.RMSprop(net.parameters(), { lr: 0.005, centered: true, momentum: 0.5 });
      const losses = Array.from({ length: steps }, () => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(net(x!, n!), y!);
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      });
      return { losses, outputs: {} };
    },
  },
  'train/transformer_lm_adamw_cosine': {
    model: () => new TransformerLM(),
    run: (model, data, steps) => {
      const all = model.parameters();
      const optimizer = new AdamW(
        [
          { params: all.filter(p => p.ndim >= 2), weightDecay: 0.1 },
          { params: all.filter(p => p.ndim < 2), weightDecay: 0 },
        ],
        { lr: 3e-3, betas: [0.9, 0.95] },
      );
      const factor = (t: number): number =>
        t < 5 ? (t + 1) / 5 : 0.5 * (1 + Math.cos((Math.PI * (t - 5)) / 25));
      return languageModel(
        model as nn.Layer,
        data,
        steps,
        optimizer,
        new optim.LambdaLR(optimizer, { lrLambda: factor }),
      );
    },
  },
  'train/mamba_lm_adamw': {
    model: () => new MambaLM(),
    run: (model, data, steps) => {
      const optimizer = new AdamW(model.parameters(), { lr: 5e-3, weightDecay: 0.1 });
      return languageModel(model as nn.Layer, data, steps, optimizer);
    },
  },
};

export function runTrain(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const training = TRAININGS[c.id];
  if (training === undefined) throw new Missing('train: its model is not written down yet');
  const load = (keys: Readonly<Record<string, string>>): Named =>
    Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, toTensor(stored.get(key)!)]));
  const model = training.model();
  model.loadStateDict(load(c.state));
  const { losses, outputs } = training.run(model, load(c.data), c.steps as number);
  const { rtol, atol } = c.tolerance;
  losses.forEach((got, i) => {
    const want = c.losses[i]!;
    if (!(Math.abs(got - want) <= atol + rtol * Math.abs(want)))
      throw new Mismatch(`loss ${i}: ${got}, wants ${want}`);
  });
  const after = model.stateDict();
  for (const [name, key] of Object.entries(c.final_state)) {
    compare(`${name} at the end`, after[name]!, stored.get(key)!, c.final_tolerance);
  }
  for (const [name, key] of Object.entries(c.outputs as Readonly<Record<string, string>>)) {
    compare(name, outputs[name]!, stored.get(key)!, { rtol: 1e-2, atol: 1e-2 });
  }
}
