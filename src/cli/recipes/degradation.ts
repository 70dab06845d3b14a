// Degradation (He et al. 2016, sections 1 and 4): a deeper plain net ends with a higher training loss than a shallow one, a
// residual net does not; and what becomes of both when a block is taken out (Veit et al. 2016, arXiv 1605.06431).

import { noGrad } from '../../index.ts';
import { Identity, init, type Sequential } from '../../nn/index.ts';
import { CosineAnnealingLR, SGD } from '../../optim/index.ts';
import { models } from '../../vision/index.ts';
import { blockPicture } from './block-pictures.ts';
import { count, defineRecipe, percent, positive } from './recipe.ts';
import { smallClothes } from './small-pictures.ts';
import { compareWays, type Parts, type Way } from './ways.ts';

type Kind = 'Plain' | 'Residual';
const KINDS = { Plain: { en: 'plain', zh: '普通' }, Residual: { en: 'residual', zh: '残差' } } as const;

/** Residual blocks begin at zero (γ = 0 in the last batch norm), as deep ones are trained today. */
const build = (kind: Kind, depth: number, width: number): models.CifarResNet =>
  new models.CifarResNet(depth, {
    inChannels: 1,
    width,
    shortcut: kind === 'Plain' ? 'none' : 'A',
    zeroInitResidual: kind === 'Residual',
  });

async function accuracy(model: models.CifarResNet, { test }: Parts): Promise<number> {
  const told = noGrad(() => model(test.x)).argmax(1);
  return await told.eq(test.y).to('float32').mean().item();
}
/** Blocks that keep the shape, each with the stage that it stands in. */
function sameShape(
  model: models.CifarResNet,
): [stage: Sequential, place: number, block: models.CifarBlock][] {
  return [model.layer1, model.layer2, model.layer3].flatMap(stage =>
    stage
      .toArray()
      .map((b, i) => [stage, i, b as models.CifarBlock] as [Sequential, number, models.CifarBlock])
      .filter(([, , b]) => b.stride === 1 && b.conv1.inChannels === b.conv1.outChannels),
  );
}
/** The mean test accuracy with one block less: of a residual net its branch set to zero, of a plain net the layers left out. */
async function without(kind: Kind, model: models.CifarResNet, parts: Parts): Promise<number> {
  model.eval();
  const blocks = sameShape(model);
  let sum = 0;
  for (const [stage, place, block] of blocks) {
    const { weight, bias } = block.bn2;
    const [gamma, beta] = [weight!.detach().clone().realize(), bias!.detach().clone().realize()];
    if (kind === 'Residual') {
      init.zeros_(weight!);
      init.zeros_(bias!);
    } else stage.set(place, new Identity());
    sum += await accuracy(model, parts);
    stage.set(place, block);
    noGrad(() => {
      weight!.copy_(gamma);
      bias!.copy_(beta);
    });
  }
  return sum / blocks.length;
}

export const degradation = defineRecipe({
  name: 'degradation',
  about: {
    en: 'Plain and residual nets of 20 and 56 layers on few clothes of 12 × 12; then one block less',
    zh: '20 层与 56 层的普通网络和残差网络，少量 12 × 12 的衣服图片；再各去掉一个残差块',
  },
  goal: {
    en: 'plain: 56 layers end with a far higher training loss than 20; residual: about the same, lower on average over seeds; without a block the residual net keeps its accuracy, the plain one loses it',
    zh: '普通网络：56 层的训练损失远高于 20 层；残差网络两者相近，多个种子平均后 56 层更低；去掉一块后残差网络准确率基本不变，普通网络大幅下降',
  },
  settings: {
    epochs: count(30),
    pictures: count(1000),
    batchSize: count(50),
    lr: positive(0.05),
    shallow: count(20),
    deep: count(56),
    width: count(8),
  },
  async train({ settings, language, progress }) {
    const { epochs, pictures, batchSize, lr, shallow, deep, width } = settings;
    const parts = await smallClothes(pictures, 12);
    const nets: Record<string, models.CifarResNet> = {};
    const way = (kind: Kind, size: 'Shallow' | 'Deep', depth: number): Way => {
      const model = build(kind, depth, width);
      nets[kind + size] = model;
      const optimizer = new SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: 1e-4 });
      const tMax = epochs * Math.ceil(parts.train.y.numel / batchSize);
      const schedule = new CosineAnnealingLR(optimizer, { tMax });
      return {
        name: kind + size,
        words: { en: `${KINDS[kind].en}, ${depth} layers`, zh: `${KINDS[kind].zh}，${depth} 层` },
        model,
        optimizer,
        batchSize,
        beforeStep: step => {
          if (step > 0) schedule.step();
        },
      };
    };
    const result = await compareWays(
      [
        way('Plain', 'Shallow', shallow),
        way('Plain', 'Deep', deep),
        way('Residual', 'Shallow', shallow),
        way('Residual', 'Deep', deep),
      ],
      parts,
      epochs,
      { language, progress },
      {
        title: { en: 'Degradation', zh: '退化问题' },
        subtitle: `${shallow}, ${deep} · SGD ${lr}, momentum .9`,
        curve: 'trainLoss',
      },
    );
    const less = {
      Plain: await without('Plain', nets['PlainShallow']!, parts),
      Residual: await without('Residual', nets['ResidualShallow']!, parts),
    };
    const kept = (kind: Kind) => {
      const { en, zh } = KINDS[kind];
      return [
        { en: `${en}, ${shallow} layers, one block less`, zh: `${zh}，${shallow} 层，去掉一块` },
        percent(less[kind]),
      ] as const;
    };
    return {
      ...result,
      metrics: {
        ...result.metrics,
        testAccuracyPlainLess: less.Plain,
        testAccuracyResidualLess: less.Residual,
      },
      facts: [...result.facts, kept('Plain'), kept('Residual')],
      pictures: async () => ({ ...(await result.pictures()), blocks: blockPicture(language) }),
    };
  },
});
