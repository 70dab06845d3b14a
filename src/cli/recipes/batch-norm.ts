// What is said of batch normalisation, tried: larger rates, worse first weights, small batches; and what eval changes.

import type { Tensor } from '../../index.ts';
import { noGrad } from '../../index.ts';
import type { BatchNorm1d, Layer } from '../../nn/index.ts';
import { SGD } from '../../optim/index.ts';
import { makeNet, spirals } from './nets.ts';
import { count, defineRecipe, notNegative } from './recipe.ts';
import { compareWays, type Way } from './ways.ts';

/** The same points through a net in training and in eval: how far apart, and whether running statistics moved. */
async function modes(
  model: Layer,
  x: Tensor,
): Promise<{ apart: number; movedInTraining: number; movedInEval: number }> {
  const norm = model.modules().find((m): m is BatchNorm1d => m.constructor.name === 'BatchNorm1d')!;
  const mean = (): Promise<unknown> => norm.running_mean!.data();
  const moved = (a: unknown, b: unknown): number =>
    Math.max(...Array.from(a as Float32Array, (v, i) => Math.abs(v - (b as Float32Array)[i]!)));
  const first = await mean();
  model.eval();
  const inEval = noGrad(() => model(x));
  await inEval.data();
  const second = await mean();
  model.train();
  const inTraining = noGrad(() => model(x));
  await inTraining.data();
  const third = await mean();
  model.eval();
  return {
    apart: await inEval.sub(inTraining).abs().mean().item(),
    movedInTraining: moved(second, third),
    movedInEval: moved(first, second),
  };
}

export const batchNorm = defineRecipe({
  name: 'batch-norm',
  about: {
    en: 'Claims about batch normalisation on spirals: a rate ten times larger, first weights 100 times too small, batches of 2',
    zh: '在螺旋数据上检验批归一化的说法：十倍学习率、小一百倍的初始权重、批大小为 2',
  },
  goal: {
    en: 'at lr 1 and with N(0, .01) weights only the net with batch norm learns; in batches of 2 it is the worse one',
    zh: '学习率为 1、权重为 N(0, 0.01) 时只有带批归一化的网络学得会；批大小为 2 时它反而更差',
  },
  settings: { epochs: count(60), points: count(800), noise: notNegative(0.05) },
  async train({ settings, language, progress }) {
    const { epochs, points, noise } = settings;
    const data = spirals(points, noise);
    const ways: Way[] = [];
    const add = (
      name: string,
      en: string,
      zh: string,
      norm: boolean,
      lr: number,
      init: 'he' | 'small',
      batchSize: number,
    ): void => {
      const model = makeNet([2, 32, 32, 32, 2], { norm, init });
      const with_ = norm ? { en: 'with BN', zh: '有 BN' } : { en: 'without', zh: '无 BN' };
      ways.push({
        name: `${name}${norm ? 'Norm' : 'Plain'}`,
        words: { en: `${en}: ${with_.en}`, zh: `${zh}：${with_.zh}` },
        model,
        optimizer: new SGD(model.parameters(), { lr }),
        batchSize,
      });
    };
    for (const norm of [false, true]) {
      add('Rate', 'lr 1', '学习率 1', norm, 1, 'he', 32);
      add('Init', 'N(0, .01) weights, lr .1', '权重 N(0, 0.01)，学习率 0.1', norm, 0.1, 'small', 32);
      add('Small', 'batches of 2, lr .1', '批大小 2，学习率 0.1', norm, 0.1, 'he', 2);
    }
    const result = await compareWays(
      ways,
      data,
      epochs,
      { language, progress },
      {
        title: { en: 'Batch normalisation: three claims', zh: '批归一化：三种说法' },
        subtitle: '2-32-32-32-2 ReLU · SGD',
      },
    );
    const m = await modes(ways.at(-3)!.model, data.test.x);
    return {
      ...result,
      metrics: {
        ...result.metrics,
        modesApart: m.apart,
        movedInTraining: m.movedInTraining,
        movedInEval: m.movedInEval,
      },
      facts: [
        ...result.facts,
        [
          {
            en: 'train() and eval() of one net: logits apart by',
            zh: '同一网络 train() 与 eval() 的输出相差',
          },
          m.apart.toFixed(4),
        ],
        [
          { en: 'running mean moved by a pass in training, in eval', zh: '滑动均值的变化：训练时、评估时' },
          `${m.movedInTraining.toFixed(4)}, ${m.movedInEval.toFixed(4)}`,
        ],
      ],
    };
  },
});
