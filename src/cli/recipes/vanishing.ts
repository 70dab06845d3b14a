// Ten sigmoid layers do not learn: the gradient shrinks by σ′ ≤ 1/4 and a weight at each. Five cures, each alone.

import { makeMoons } from '../../data/index.ts';
import { F, type Samples, type Tensor, trainTestSplit } from '../../index.ts';
import { BatchNorm1d, init, type Layer, Linear, Module, ModuleList, Sequential } from '../../nn/index.ts';
import { Adam, SGD } from '../../optim/index.ts';
import type { Words } from '../language.ts';
import { count, defineRecipe, positive } from './recipe.ts';
import { compareWays, type Way } from './ways.ts';

const WIDTH = 16;
type Kind = 'sigmoid' | 'relu' | 'xavier' | 'norm' | 'residual' | 'adam';

class DeepNet extends Module {
  readonly kind: Kind;
  readonly input = new Linear(2, WIDTH);
  readonly hidden: ModuleList;
  readonly output = new Linear(WIDTH, 2);
  constructor(depth: number, kind: Kind) {
    super();
    this.kind = kind;
    const layer = (): Layer =>
      kind === 'norm'
        ? new Sequential(new Linear(WIDTH, WIDTH), new BatchNorm1d(WIDTH))
        : new Linear(WIDTH, WIDTH);
    this.hidden = new ModuleList(Array.from({ length: depth - 1 }, layer));
    // The weights of the experiment: N(0, .5) of a network that nobody tuned, but for the two cures of initialisation.
    for (const m of this.modules()) {
      if (!(m instanceof Linear)) continue;
      if (kind === 'relu') init.kaimingNormal_(m.weight, { nonlinearity: 'relu' });
      else if (kind === 'xavier') init.xavierNormal_(m.weight, { gain: 4 });
      else init.normal_(m.weight, 0, 0.5);
      init.zeros_(m.bias!);
    }
  }
  forward(x: Tensor): Tensor {
    const { kind } = this;
    const act = (z: Tensor): Tensor => (kind === 'relu' ? z.relu() : z.sigmoid());
    let h = act(this.input(x)); // (m, WIDTH)
    for (const layer of this.hidden) {
      const next = act(layer(h)); // (m, WIDTH)
      h = kind === 'residual' ? h.add(next) : next;
    }
    return this.output(h); // (m, 2)
  }
}
const LABELS: Readonly<Record<Kind, Words>> = {
  sigmoid: { en: 'sigmoid, SGD', zh: 'sigmoid + SGD' },
  relu: { en: 'cure 1: ReLU with He', zh: '疗法 1：ReLU + He 初始化' },
  xavier: {
    en: 'cure 2: first weights that keep the gradient (4 × Xavier)',
    zh: '疗法 2：保持梯度大小的初始化（4 × Xavier）',
  },
  norm: { en: 'cure 3: batch normalisation', zh: '疗法 3：批归一化' },
  residual: { en: 'cure 4: residual connections', zh: '疗法 4：残差连接' },
  adam: { en: 'cure 5: Adam with warm-up', zh: '疗法 5：Adam + 预热' },
};

/** How much smaller the gradient is at the first hidden layer than at the last. */
async function gradientRatio(net: DeepNet, data: Samples): Promise<number> {
  net.zeroGrad();
  F.crossEntropy(net(data.x), data.y).backward();
  const norms: number[] = [];
  for (const [name, p] of net.namedParameters())
    if (name.startsWith('hidden') && p.ndim === 2) norms.push(await p.grad!.norm().item());
  net.zeroGrad();
  return norms[0]! / norms.at(-1)!;
}

export const vanishing = defineRecipe({
  name: 'vanishing',
  about: {
    en: 'Ten sigmoid layers that do not learn two moons, and five cures: activation, first weights, normalisation, residuals, optimizer',
    zh: '十层 sigmoid 学不会双月数据，以及五种疗法：激活函数、初始化、归一化、残差、优化器',
  },
  goal: {
    en: 'without a cure the loss stays at ln 2 = .693; each cure brings it below .3',
    zh: '没有疗法时损失停在 ln 2 = 0.693；每种疗法都能降到 0.3 以下',
  },
  settings: { epochs: count(60), depth: count(10), lr: positive(0.1), points: count(1000) },
  async train({ settings, language, progress }) {
    const { epochs, depth, lr, points } = settings;
    const data = makeMoons(points, { noise: 0.1 });
    const split = trainTestSplit([data.x, data.y], { testSize: 0.2 });
    const [train, test] = [split.train, split.test].map(([x, y]) => ({ x, y })) as [Samples, Samples];
    const ratios: Partial<Record<Kind, number>> = {};
    const ways: Way[] = [];
    for (const kind of Object.keys(LABELS) as Kind[]) {
      const model = new DeepNet(depth, kind);
      ratios[kind] = await gradientRatio(model, train);
      const parameters = model.parameters();
      const adam = kind === 'adam' ? new Adam(parameters, { lr: 0.01 }) : null;
      const optimizer = adam ?? new SGD(parameters, { lr });
      ways.push({
        name: kind,
        words: LABELS[kind],
        model,
        optimizer,
        batchSize: 32,
        ...(adam === null
          ? {}
          : {
              beforeStep: (step: number) => {
                adam.paramGroups[0]!.lr = 0.01 * Math.min(1, (step + 1) / 100);
              },
            }),
      });
    }
    const zh = language === 'zh';
    const result = await compareWays(
      ways,
      { train, test },
      epochs,
      { language, progress },
      {
        title: {
          en: `${depth} layers: the gradient vanishes, and five cures`,
          zh: `${depth} 层：梯度消失与五种疗法`,
        },
        subtitle: `2-${WIDTH}×${depth}-2 · batch 32`,
        curve: 'trainLoss',
      },
    );
    return {
      ...result,
      metrics: {
        ...result.metrics,
        ...Object.fromEntries(Object.entries(ratios).map(([k, v]) => [`gradientRatio${k}`, v])),
      },
      facts: [
        [
          {
            en: 'gradient at layer 2 beside that at the last hidden one, before training',
            zh: '训练前第 2 层梯度与最后隐藏层之比',
          },
          Object.entries(ratios)
            .map(([k, v]) => `${zh ? LABELS[k as Kind].zh : k} ${v.toExponential(1)}`)
            .join(zh ? '；' : ', '),
        ],
        ...result.facts,
      ],
    };
  },
});
