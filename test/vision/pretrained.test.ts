// Weights that others have trained, in PyTorch's files and in safetensors: they load and give the accuracy that is known of
// them. Needs the prepared real data (TENON_DATA) and the weights in ../shared/data.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mnist } from '../../src/data/index.ts';
import { F, nn, noGrad, type Tensor, tensor } from '../../src/index.ts';
import { loadTensors } from '../../src/io/index.ts';
import { resnet20 } from '../../src/vision/models.ts';

const weights = resolve(import.meta.dirname, '../../../shared/data/weights');
const data = process.env['TENON_DATA'] ?? '';
const there = data !== '' && existsSync(weights);

/** How many of the images get their label, in batches. */
async function correct(model: nn.Layer, images: Tensor, labels: Tensor): Promise<number> {
  const batch = 250;
  let right = 0;
  for (let i = 0; i < images.shape[0]!; i += batch) {
    const answers = noGrad(() => model(images.narrow(0, i, batch)).argmax(1));
    right += Number(
      await answers
        .eq(labels.narrow(0, i, batch))
        .sum()
        .item(),
    );
  }
  return right;
}

/** The CNN of burn's MNIST example. (N, 1, 28, 28) → (N, 10). */
class BurnMnist extends nn.Module {
  readonly conv1 = new nn.Conv2d(1, 8, 3);
  readonly conv2 = new nn.Conv2d(8, 16, 3);
  readonly conv3 = new nn.Conv2d(16, 24, 3);
  readonly norm1 = new nn.BatchNorm2d(24);
  readonly fc1 = new nn.Linear(24 * 22 * 22, 32);
  readonly fc2 = new nn.Linear(32, 10);
  readonly norm2 = new nn.BatchNorm1d(10);
  forward(x: Tensor): Tensor {
    x = this.conv2(this.conv1(x).relu()).relu(); // (N, 16, 24, 24)
    x = this.norm1(this.conv3(x).relu()).flatten(1); // (N, 11616)
    return F.logSoftmax(this.norm2(this.fc2(this.fc1(x).relu())), 1); // (N, 10)
  }
}

describe.skipIf(!there)('known weights (needs TENON_DATA and ../shared/data)', () => {
  test('resnet20-12fca82f.th: 914 of 1 000 images of CIFAR-10, and the known logits', async () => {
    const state = await loadTensors(join(weights, 'resnet20-12fca82f.th'));
    const keys = Object.entries(state).filter(([k]) => k.startsWith('state_dict.module.'));
    const net = resnet20();
    // The file is older than the count of batches, which eval does not use.
    const plain = Object.fromEntries(keys.map(([k, t]) => [k.slice('state_dict.module.'.length), t]));
    const { missingKeys, unexpectedKeys } = net.loadStateDict(plain, { strict: false });
    expect(missingKeys.filter(k => !k.endsWith('num_batches_tracked'))).toEqual([]);
    expect(unexpectedKeys).toEqual([]);
    net.eval();
    // Records of one label and the red, green and blue planes.
    const records = new Uint8Array(readFileSync(join(data, 'cifar-10-test1000/test_batch.bin')));
    const all = tensor(records).reshape([1000, 3073]);
    const perChannel = (x: readonly number[]): Tensor => tensor([...x]).reshape([3, 1, 1]);
    const images = all
      .narrow(1, 1, 3072)
      .to('float32')
      .reshape([1000, 3, 32, 32])
      .div(255)
      .sub(perChannel([0.485, 0.456, 0.406]))
      .div(perChannel([0.229, 0.224, 0.225]));
    const golden = JSON.parse(readFileSync(join(weights, 'golden.json'), 'utf8')) as Record<
      string,
      { logits_first4: readonly (readonly number[])[] }
    >;
    const first = (await noGrad(() => net(images.narrow(0, 0, 4))).tolist()) as number[][];
    golden['resnet20-12fca82f.th']!.logits_first4.forEach((row, i) => {
      row.forEach((v, c) => {
        expect(first[i]![c]!).toBeCloseTo(v, 2);
      });
    });
    const right = await correct(net, images, all.select(1, 0).to('int64'));
    expect(Math.abs(right - 914)).toBeLessThanOrEqual(2);
  }, 120_000);

  test.each([
    ['burn-mnist.pt', 9915],
    ['burn-mnist.safetensors', 9917],
  ])(
    '%s: %i of 10 000 digits',
    async (file, known) => {
      const net = new BurnMnist();
      net.loadStateDict(await loadTensors(join(weights, file)));
      net.eval();
      const [images, labels] = (await mnist({ split: 'test', root: data })).tensors as [Tensor, Tensor];
      const right = await correct(net, images, labels);
      expect(Math.abs(right - known)).toBeLessThanOrEqual(2);
    },
    120_000,
  );
});
