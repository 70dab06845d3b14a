// The models: parameters and multiply-accumulates as published, keys and shapes as torchvision's, and the outputs that
// PyTorch computes from the same weights. models.json is made by models_fixture.py.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { nn, noGrad, randn, setDefaultDevice, type Tensor, useDevice } from '../../src/index.ts';
import * as V from '../../src/vision/models.ts';
import { fill, image } from './weights.ts';

await useDevice('null');
/** Nothing is computed on the null device, the first weights included. */
function onNull<T>(fn: () => T): T {
  setDefaultDevice('null');
  try {
    return fn();
  } finally {
    setDefaultDevice('cpu');
  }
}

interface Fixture {
  readonly models: Readonly<
    Record<string, { parameters: number; keys: number; sha256: string; lines?: readonly string[] }>
  >;
  readonly outputs: Readonly<
    Record<string, { input: readonly number[]; length: number; step: number; values: readonly number[] }>
  >;
}
const fixture = JSON.parse(readFileSync(new URL('models.json', import.meta.url), 'utf8')) as Fixture;

/** [published parameters, published multiply-accumulates in millions to the digits given, input, model]. */
type Row = readonly [params: number, macs: string | null, input: readonly number[], make: () => nn.Module];
const full = [1, 3, 224, 224];
const small = [1, 3, 32, 32];
/**
 * Where the numbers come from: full-size models from torchvision's tables of weights (parameters, GFLOPS, which count a
 * multiply-add once); CIFAR VGGs and ResNets with option B from pytorch-cifar-models; ResNet-N of CIFAR from akamaster's
 * table; the others from the papers named in the files of the models.
 */
const PUBLISHED: Readonly<Record<string, Row>> = {
  // LeCun 1998, II.B: C1 156, S2 12, C3 1 516, S4 32, C5 48 120, F6 10 164.
  'LeNet-5, original': [60_000, null, [1, 1, 32, 32], () => new V.LeNet5Original()],
  AlexNet: [61_100_840, '710', full, () => V.alexnet()],
  'AlexNet, original': [60_965_224, '724', full, () => V.alexnetOriginal()],
  'VGG-11': [132_863_336, '7610', full, () => V.vgg11()],
  'VGG-11-BN': [132_868_840, '7610', full, () => V.vgg11({ batchNorm: true })],
  'VGG-13': [133_047_848, '11310', full, () => V.vgg13()],
  'VGG-13-BN': [133_053_736, '11310', full, () => V.vgg13({ batchNorm: true })],
  'VGG-16': [138_357_544, '15470', full, () => V.vgg16()],
  'VGG-16-BN': [138_365_992, '15470', full, () => V.vgg16({ batchNorm: true })],
  'VGG-19': [143_667_240, '19630', full, () => V.vgg19()],
  'VGG-19-BN': [143_678_248, '19630', full, () => V.vgg19({ batchNorm: true })],
  'VGG-11-BN, CIFAR': [9_756_426, '153.29', small, () => V.vgg11({ batchNorm: true, small: true })],
  'VGG-13-BN, CIFAR': [9_941_322, '228.79', small, () => V.vgg13({ batchNorm: true, small: true })],
  'VGG-16-BN, CIFAR': [15_253_578, '313.73', small, () => V.vgg16({ batchNorm: true, small: true })],
  'VGG-19-BN, CIFAR': [20_565_834, '398.66', small, () => V.vgg19({ batchNorm: true, small: true })],
  GoogLeNet: [6_624_904, '1500', full, () => V.googlenet()],
  'GoogLeNet, original': [6_998_552, '1580', full, () => V.googlenet({ original: true })],
  'ResNet-18': [11_689_512, '1810', full, () => V.resnet18()],
  'ResNet-34': [21_797_672, '3660', full, () => V.resnet34()],
  'ResNet-50': [25_557_032, '4090', full, () => V.resnet50()],
  'ResNet-101': [44_549_160, '7800', full, () => V.resnet101()],
  'ResNet-152': [60_192_808, '11510', full, () => V.resnet152()],
  'ResNeXt-50': [25_028_904, '4230', full, () => V.resnext50()],
  'ResNeXt-101': [88_791_336, '16410', full, () => V.resnext101()],
  'ResNet-20': [269_722, '40.55', small, () => V.resnet20()],
  'ResNet-32': [464_154, '68.86', small, () => V.resnet32()],
  'ResNet-44': [658_586, '97.17', small, () => V.resnet44()],
  'ResNet-56': [853_018, '125.49', small, () => V.resnet56()],
  'ResNet-110': [1_727_962, '252.89', small, () => V.resnet110()],
  'ResNet-20, option B': [272_474, '40.81', small, () => V.resnet20({ shortcut: 'B' })],
  'ResNet-56, option B': [855_770, '125.75', small, () => V.resnet56({ shortcut: 'B' })],
  MobileNetV2: [3_504_872, '300', full, () => V.mobilenetV2()],
  'DenseNet-121': [7_978_856, '2830', full, () => V.densenet121()],
  'DenseNet-BC-100, k 12': [769_162, null, small, () => V.densenetCifar()],
  'ViT-B/16': [86_567_656, '17560', full, () => V.vitB16()],
  'PreAct-ResNet-164': [1_703_258, null, small, () => V.preactResnet(164)],
  'U-Net, original': [31_030_658, null, [1, 1, 572, 572], () => V.unetOriginal()],
};

describe('published sizes', () => {
  test.each(Object.entries(PUBLISHED))('%s', (_, [params, macs, input, make]) => {
    const s = onNull(() => nn.summary(make(), input));
    expect(s.parameters).toBe(params);
    if (macs === null) return;
    const digits = macs.split('.')[1]?.length;
    // Published in units of 0.01 G, or with two digits of millions.
    const millions = s.macs / 1e6;
    if (digits === undefined) expect(Math.abs(millions - Number(macs))).toBeLessThanOrEqual(5);
    else expect(millions.toFixed(digits)).toBe(macs);
  });
  test('LeNet-5 of the paper has its connections, which count biases', () => {
    const { rows } = onNull(() => nn.summary(new V.LeNet5Original(), [1, 1, 32, 32]));
    const connections = (name: string): number => {
      const { macs, outputShapes } = rows.find(r => r.name === name)!;
      return macs + outputShapes[0]!.reduce((a, b) => a * b, 1);
    };
    expect(['c1', 'c3', 'c5', 'f6'].map(connections)).toEqual([122_304, 151_600, 48_120, 10_164]);
  });
  test('a plain network has the parameters of its residual twin with option A, and as many layers as it says', () => {
    for (const depth of [8, 20, 22, 32, 34, 56]) {
      const net = V.plainNet(depth);
      const layers = net.modules().filter(m => m instanceof nn.Conv2d || m instanceof nn.Linear).length;
      expect(layers).toBe(depth);
      expect(net.parameters().length).toBe(new V.CifarResNet(depth).parameters().length);
    }
  });
});

const smallVit = (): nn.Layer =>
  V.vitB16({
    imageSize: 32,
    patchSize: 8,
    numLayers: 2,
    numHeads: 3,
    hiddenDim: 48,
    mlpDim: 96,
    numClasses: 10,
  });
const lines = (m: nn.Module): string[] =>
  Object.entries(m.stateDict()).map(([k, t]) => `${k} ${t.shape.join('x')}`);
const KEYS: Readonly<Record<string, () => nn.Module>> = {
  // Before the large ones, whose first values would be drawn with its.
  googlenet: V.googlenet,
  googlenet_aux: () => V.googlenet({ auxLogits: true }),
  alexnet: V.alexnet,
  vgg11: V.vgg11,
  vgg11_bn: () => V.vgg11({ batchNorm: true }),
  vgg13: V.vgg13,
  vgg13_bn: () => V.vgg13({ batchNorm: true }),
  vgg16: V.vgg16,
  vgg16_bn: () => V.vgg16({ batchNorm: true }),
  vgg19: V.vgg19,
  vgg19_bn: () => V.vgg19({ batchNorm: true }),
  resnet18: V.resnet18,
  resnet34: V.resnet34,
  resnet50: V.resnet50,
  resnet101: V.resnet101,
  resnet152: V.resnet152,
  resnext50_32x4d: V.resnext50,
  resnext101_32x8d: V.resnext101,
  mobilenet_v2: V.mobilenetV2,
  mobilenet_v2_half: () => V.mobilenetV2({ widthMult: 0.5 }),
  densenet121: V.densenet121,
  vit_b_16: V.vitB16,
  vit: smallVit,
  resnet20_A: V.resnet20,
  resnet20_B: () => V.resnet20({ shortcut: 'B' }),
  plain20: () => V.plainNet(20),
  preact20: () => V.preactResnet(20),
  preact29: () => V.preactResnet(29, { bottleneck: true }),
  series: () => new V.SeriesNet(),
  unet: () => new V.UNet(),
  unet_original: () => V.unetOriginal(),
};

describe("keys, order and shapes of the state dict are PyTorch's", () => {
  test.each(Object.entries(KEYS))('%s', (name, make) => {
    const want = fixture.models[name]!;
    const got = onNull(() => lines(make()));
    if (want.lines !== undefined) expect(got).toEqual(want.lines);
    expect(got.length).toBe(want.keys);
    const hash = createHash('sha256').update(got.join('\n')).digest('hex');
    expect(hash, `models_fixture.py --keys ${name} prints the lines`).toBe(want.sha256);
  });
});

const ten = { numClasses: 10 };
const OUTPUTS: Readonly<Record<string, () => (x: Tensor) => Tensor>> = {
  alexnet: () => fill(V.alexnet(ten).features),
  alexnet_small: () => fill(V.alexnetSmall()),
  vgg11: () => fill(V.vgg11(ten).features),
  vgg16_bn: () => fill(V.vgg16({ ...ten, batchNorm: true }).features),
  vgg19: () => fill(V.vgg19(ten).features),
  vgg11_bn_small: () => fill(V.vgg11({ batchNorm: true, small: true })),
  googlenet: () => fill(V.googlenet(ten)),
  googlenet_aux1: () => fill(V.googlenet({ ...ten, auxLogits: true })).aux1!,
  googlenet_aux2: () => fill(V.googlenet({ ...ten, auxLogits: true })).aux2!,
  resnet18: () => fill(V.resnet18(ten)),
  resnet18_small: () => fill(V.resnet18({ small: true, numClasses: 100 })),
  resnet34: () => fill(V.resnet34(ten)),
  resnet50: () => fill(V.resnet50(ten)),
  resnext50: () => fill(V.resnext50(ten)),
  mobilenet_v2: () => fill(V.mobilenetV2(ten)),
  mobilenet_v2_half: () => fill(V.mobilenetV2({ ...ten, widthMult: 0.5 })),
  densenet121: () => fill(V.densenet121(ten)),
  vit: () => fill(smallVit()),
  resnet20_A: () => fill(V.resnet20()),
  resnet20_B: () => fill(V.resnet20({ shortcut: 'B' })),
  plain20: () => fill(V.plainNet(20)),
  preact20: () => fill(V.preactResnet(20)),
  preact29: () => fill(V.preactResnet(29, { bottleneck: true })),
  series: () => fill(new V.SeriesNet()),
  unet: () => fill(new V.UNet()),
  unet_original: () =>
    fill(new V.UNet({ inChannels: 1, width: 64, levels: 2, upsampling: 'transposed', padding: false })),
};

describe("outputs with the same weights are PyTorch's", () => {
  test.each(Object.entries(OUTPUTS))('%s', async (name, make) => {
    const { input, length, step, values } = fixture.outputs[name]!;
    const y = Array.from(await noGrad(() => make()(image(input))).data(), Number);
    expect(y.length).toBe(length);
    const scale = Math.max(...values.map(Math.abs));
    const got = values.map((_, i) => y[i * step]!);
    // 1e-4 of the largest, and the largest is not tiny, so that an output of zeros cannot pass.
    expect(scale).toBeGreaterThan(0.01);
    const worst = Math.max(...values.map((v, i) => Math.abs(v - got[i]!))) / scale;
    expect(worst).toBeLessThan(1e-4);
  });
});

describe('options', () => {
  const same = async (a: Tensor, b: Tensor): Promise<boolean> => (await a.sub(b).abs().max().item()) === 0;
  test('with zeroInitResidual every block starts as the identity', async () => {
    const x = randn([2, 16, 8, 8]).relu();
    const net = V.resnet20({ zeroInitResidual: true });
    expect(await same(net.layer1(x), x)).toBe(true);
    expect(await same(V.resnet20().layer1(x), x)).toBe(false);
    const wide = randn([2, 64, 8, 8]).relu();
    expect(await same(V.resnet18({ zeroInitResidual: true }).layer1(wide), wide)).toBe(true);
    const pre = V.preactResnet(20, { zeroInitResidual: true });
    const h = randn([2, 16, 8, 8]);
    expect(await same(pre.layers.at(0)(h), h)).toBe(true);
  });
  test('the plain counterpart of ResNet-18 adds nothing', async () => {
    const plain = V.resnet18({ small: true, residual: false });
    expect(Object.keys(plain.stateDict()).some(k => k.includes('downsample'))).toBe(false);
    // A block whose last norm gives zeros gives zeros: no shortcut passes x on.
    const block = plain.layer1.at(0) as unknown as { bn2: nn.BatchNorm2d };
    nn.init.zeros_(block.bn2.weight!);
    expect(
      await plain.layer1
        .at(0)(randn([1, 64, 4, 4]))
        .abs()
        .max()
        .item(),
    ).toBe(0);
  });
  test('LeNet-5 of the paper: each map of C3 sees the maps of table I, and classes lie at their codes', async () => {
    const net = new V.LeNet5Original();
    const x = randn([1, 6, 14, 14]).requiresGrad_();
    // Map 15 sees all six, map 0 the first three.
    for (const [map, sees] of [
      [0, [true, true, true, false, false, false]],
      [15, [true, true, true, true, true, true]],
    ] as const) {
      x.grad = null;
      net.c3(x).select(1, map).sum().backward();
      const seen = (await x.grad!.abs().sum([0, 2, 3]).tolist()) as number[];
      expect(seen.map(v => v > 0)).toEqual(sees);
    }
    const y = (await net(randn([2, 1, 32, 32])).tolist()) as number[][];
    expect(Math.max(...y.flat())).toBeLessThan(0);
    const codes = (await net.codes.abs().sum().item()) as number;
    expect(codes).toBe(840);
  });
  test('small variants take 32 × 32, and every parameter gets a gradient', () => {
    onNull(() => {
      const nets: nn.Layer[] = [
        V.alexnetSmall(),
        V.googlenet({ small: true }),
        V.mobilenetV2({ small: true }),
        V.densenetCifar({ depth: 22 }),
        V.preactResnet18(),
      ];
      for (const net of nets) {
        const y = net(randn([2, 3, 32, 32]));
        expect(y.shape).toEqual([2, 10]);
        y.square().sum().backward();
        for (const [name, p] of net.namedParameters()) expect(p.grad, name).not.toBeNull();
      }
    });
  });
  test('the inner classifiers of GoogLeNet', () => {
    onNull(() => {
      const net = V.googlenet({ auxLogits: true, numClasses: 7 });
      const { logits, aux1, aux2 } = net.withAux(randn([2, 3, 64, 64]));
      for (const y of [logits, aux1!, aux2!]) expect(y.shape).toEqual([2, 7]);
    });
  });
  test('what cannot be built or fed is an error that says why', () => {
    expect(() => new V.CifarResNet(21)).toThrow('CifarResNet: the depth must be even and at least 8, got 21');
    expect(() => V.preactResnet(111)).toThrow(
      'preactResnet: the depth must be 6n + 2 with basic blocks, got 111',
    );
    expect(() => V.densenetCifar({ depth: 50 })).toThrow('densenetCifar: the depth must be 6n + 4, got 50');
    expect(() => new V.UNet()(randn([1, 3, 36, 32]))).toThrow(
      'UNet: height and width must be even before each halving, got (1, 64, 9, 8)',
    );
  });
});
