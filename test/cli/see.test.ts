// What `tenon see` draws: every picture of a network, of grey and of coloured pictures, with and without branches.

import { expect, it } from 'vitest';
import { netPictures } from '../../src/cli/recipes/net-pictures.ts';
import type { Tensor } from '../../src/index.ts';
import { manualSeed } from '../../src/index.ts';
import { type Image, ImageDataset, models, transforms } from '../../src/vision/index.ts';
import { picture } from '../vision/pictures.ts';
import { checkXml } from '../viz/xml.ts';

const CLASSES = ['ant', 'bee', 'cat'];
function dataset(side: number, channels: 1 | 3): ImageDataset<Tensor> {
  const images = Array.from({ length: 9 }, (_, i) => picture(side, side, channels, i + 1));
  const source = {
    length: 9,
    classes: CLASSES,
    targets: Int32Array.from(images, (_, i) => i % 3),
    image: (i: number): Image => images[i]!,
    title: (i: number): string => `picture-${i}.png`,
  };
  return new ImageDataset(source, new transforms.ToTensor()) as ImageDataset<Tensor>;
}

it.each([
  ['LeNet-5', 28, 1, () => new models.LeNet5({ numClasses: 3 })],
  ['ResNet-8', 16, 3, () => new models.CifarResNet(8, { numClasses: 3, width: 4 })],
] as const)('%s', async (_, side, channels, build) => {
  manualSeed(1);
  const test = dataset(side, channels);
  const image = await test.withTransform(null).get(0);
  const [x] = await test.get(0);
  const drawn = await netPictures(build(), [{ name: 'test:0', image: image[0], x: x.unsqueeze(0) }], test, {
    title: { en: 'A net', zh: '网络' },
    language: 'en',
    classes: CLASSES,
  });
  expect(Object.keys(drawn)).toEqual([
    'filters',
    'maps',
    'gaze',
    'fields',
    'ledger',
    'mistakes',
    'confusion',
  ]);
  for (const svg of Object.values(drawn)) checkXml(svg);
  expect(drawn['gaze']).toContain('>Grad-CAM<');
  // The names of wrong pictures, with what they are and were taken for.
  expect(drawn['mistakes']).toMatch(/>picture-\d\.png: (ant|bee|cat) → (ant|bee|cat)</);
  if (channels === 1) {
    // 28·28·6·25 multiply-accumulates of the first convolution; fields of 5, 6, 14 and 16 pixels.
    expect(drawn['ledger']).toContain('>117,600<');
    for (const size of [5, 6, 14, 16]) expect(drawn['fields']).toContain(`: ${size} × ${size}<`);
  } else {
    expect(drawn['fields']).toContain('>layer3: ');
    expect(drawn['maps']).toContain('>layer2  8 × 8 × 8<');
  }
});
