// What a network sees, where the answer is known in closed form.

import { describe, expect, test } from 'vitest';
import { nn, noGrad, randn, type Tensor, tensor } from '../../src/index.ts';
import {
  featureMaps,
  gradCam,
  Image,
  ImageDataset,
  measureReceptiveField,
  mistakes,
  models,
  receptiveField,
  saliency,
  transforms,
  windowLayers,
} from '../../src/vision/index.ts';

const apart = async (a: Tensor, b: Tensor): Promise<number> => {
  expect(a.shape).toEqual(b.shape);
  return (await a.sub(b).abs().max().item()) as number;
};

test('featureMaps gives what the modules put out, in eval mode, and leaves the modes as they were', async () => {
  const net = models.resnet20();
  const x = randn([1, 3, 16, 16]);
  const maps = featureMaps(net, x, ['conv1', 'layer2.0', 'layer3']);
  expect(maps['layer2.0']!.shape).toEqual([1, 32, 8, 8]);
  expect(maps['layer3']!.shape).toEqual([1, 64, 4, 4]);
  expect(
    await apart(
      maps['conv1']!,
      noGrad(() => net.conv1(x)),
    ),
  ).toBe(0);
  expect(net.modules().every(m => m.training)).toBe(true);
  // Nothing was learnt about the batch.
  expect(await net.bn1.running_mean!.abs().max().item()).toBe(0);
});

test('the saliency of a linear classifier is the size of its weights', async () => {
  const fc = new nn.Linear(12, 4);
  const net = new nn.Sequential(new nn.Flatten(), fc);
  const seen = saliency(net, randn([2, 3, 2, 2]), { classes: [1, 3] });
  const want = (c: number): Tensor => fc.weight.detach().select(0, c).reshape([3, 2, 2]).abs().amax(0);
  expect(await apart(seen.select(0, 0), want(1))).toBeLessThan(1e-6);
  expect(await apart(seen.select(0, 1), want(3))).toBeLessThan(1e-6);
});

test('before global average pooling and a linear layer, Grad-CAM is CAM: relu(Σ w_c A_c) over the places', async () => {
  const conv = new nn.Conv2d(3, 5, 3, { padding: 1 });
  const fc = new nn.Linear(5, 4);
  const net = new nn.Sequential(conv, new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), fc);
  const x = randn([1, 3, 6, 6]);
  const cam = gradCam(net, x, '0', { classes: [2] });
  const w = fc.weight.detach().select(0, 2).reshape([1, 5, 1, 1]);
  const want = noGrad(() => conv(x).mul(w).sum(1).div(36).relu());
  expect(await want.max().item()).toBeGreaterThan(0);
  expect(await apart(cam, want)).toBeLessThan(1e-6);
});

describe('the receptive field by the windows is the one measured by gradients', () => {
  test.each([
    ['two 3 × 3 as one 5 × 5', [{ kernelSize: 3 }, { kernelSize: 3 }], 5],
    ['a stride widens what comes after', [{ kernelSize: 3, stride: 2 }, { kernelSize: 3 }], 7],
    [
      'two strides multiply',
      [{ kernelSize: 3, stride: 2 }, { kernelSize: 3, stride: 2 }, { kernelSize: 3 }],
      15,
    ],
    ['dilation', [{ kernelSize: 3, dilation: 3 }, { kernelSize: 3 }], 9],
    ['seven layers', Array.from({ length: 7 }, () => ({ kernelSize: 3 })), 15],
  ] as const)('%s', async (_, layers, size) => {
    expect(receptiveField(layers).size).toBe(size);
    const net = new nn.Sequential(
      ...layers.map(({ kernelSize, ...o }) => new nn.Conv2d(1, 1, kernelSize, { padding: 4, ...o })),
    );
    const seen = await measureReceptiveField(net, randn([1, 1, 41, 41]));
    expect(seen).toEqual({ height: size, width: size });
  });
});

test('what cannot be seen is an error that says why', () => {
  const net = models.resnet20();
  const x = randn([1, 3, 8, 8]);
  expect(() => featureMaps(net, x, ['layer9'])).toThrow(/getSubmodule: CifarResNet has the modules conv1/);
  expect(() => gradCam(net, x, 'linear')).toThrow(
    "gradCam: the layer must give maps (N, C, h, w), got 'linear'",
  );
  expect(() => saliency(net, x, { classes: [1, 2] })).toThrow(
    'saliency: one class for each of the 1 pictures, got [1, 2]',
  );
});

describe('the layers of a network as windows', () => {
  test('windowLayers lists them in order; the field grows as the books say, and as gradients show', async () => {
    const net = new models.LeNet5();
    const layers = windowLayers(net, randn([1, 1, 28, 28]));
    expect(layers.map(l => [l.kind, l.kernelSize, l.stride])).toEqual([
      ['Conv2d', 5, 1],
      ['MaxPool2d', 2, 2],
      ['Conv2d', 5, 1],
      ['MaxPool2d', 2, 2],
    ]);
    const sizes = layers.map((_, i) => receptiveField(layers.slice(0, i + 1)).size);
    expect(sizes).toEqual([5, 6, 14, 16]);
    for (const [i, l] of layers.entries()) {
      const seen = await measureReceptiveField(net, randn([64, 1, 28, 28]), l.name);
      expect([l.name, seen.height, seen.width]).toEqual([l.name, sizes[i], sizes[i]]);
    }
  });
  test('a layer without maps is an error', async () => {
    const net = models.resnet20();
    await expect(measureReceptiveField(net, randn([1, 3, 8, 8]), 'linear')).rejects.toThrow(
      "measureReceptiveField: the module 'linear' must give maps (N, C, h, w), got (1, 10)",
    );
  });
});

test('mistakes names the pictures that were taken for another class, the surest first', async () => {
  // Brightness decides: class 1 from half on. Two of five pictures are told wrongly.
  const shades = [0, 255, 200, 100, 255];
  const targets = [0, 1, 0, 1, 1];
  const set = new ImageDataset(
    {
      length: 5,
      classes: ['dark', 'light'],
      targets: Int32Array.from(targets),
      image: i => new Image(new Uint8Array([shades[i]!]), 1, 1, 1),
      title: i => `shade-${i}.png`,
    },
    new transforms.ToTensor(),
  ) as ImageDataset<Tensor>;
  const net = new nn.Sequential(new nn.Flatten(), new nn.Linear(1, 2));
  net.loadStateDict({ '1.weight': tensor([[-4], [4]]), '1.bias': tensor([2, -2]) });
  const m = await mistakes(net, set, { batchSize: 2 });
  expect(m.matrix).toEqual([
    [1, 1],
    [1, 2],
  ]);
  expect(m.accuracy).toBeCloseTo(0.6);
  expect(m.mistakes.map(w => [w.title, w.truth, w.predicted])).toEqual([
    ['shade-2.png', 0, 1],
    ['shade-3.png', 1, 0],
  ]);
  // softmax of (−4v + 2, 4v − 2) at v = 200/255
  expect(m.mistakes[0]!.probability).toBeCloseTo(1 / (1 + Math.exp(-(8 * (200 / 255) - 4))), 5);
  expect(net.training).toBe(true);
});
