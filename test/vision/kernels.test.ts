// The kernels on bytes: equal to torchvision's functions on Pillow's pictures, byte for byte.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/vision/image.ts';
import * as color from '../../src/vision/raster/color.ts';
import * as place from '../../src/vision/raster/place.ts';
import { resize } from '../../src/vision/raster/resample.ts';
import { affineMatrix, rotate, rotation, warp } from '../../src/vision/raster/warp.ts';
import { picture } from './pictures.ts';

interface Case {
  readonly op: string;
  // biome-ignore lint/suspicious/noExplicitAny: arguments as Python wrote them
  readonly args: any[];
  readonly size: [number, number, number];
  readonly shape: [number, number, number];
  readonly bytes: string;
}
const { cases } = JSON.parse(readFileSync(new URL('./torchvision.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

// biome-ignore lint/suspicious/noExplicitAny: as the arguments
const OPS: Record<string, (x: Image, ...args: any[]) => Image> = {
  resize: (x, [h, w], options) => resize(x, h, w, options),
  resizedCrop: (x, top, left, height, width, [h, w], options) =>
    resize(x, h, w, { ...options, region: { top, left, height, width } }),
  pad: (x, sides, fill, mode) => place.pad(x, sides, fill, mode),
  crop: (x, top, left, height, width) => place.crop(x, { top, left, height, width }),
  horizontalFlip: place.horizontalFlip,
  verticalFlip: place.verticalFlip,
  rotate: (x, angle, options) => rotate(x, rotation(x, angle, options), options),
  affine: (x, angle, translate, scale, shear, interpolation) =>
    warp(x, affineMatrix([x.width / 2, x.height / 2], { angle, translate, scale, shear }), x, {
      interpolation,
    }),
  ...color,
};
const named = new Set(Object.keys(OPS));

describe('equal to torchvision', () => {
  it.each([...new Set(cases.map(c => c.op))].filter(op => named.has(op)))('%s', op => {
    for (const { args, size, shape, bytes } of cases.filter(c => c.op === op)) {
      const x = picture(...size);
      const dark = args[0] === 'dark';
      const from = dark
        ? x.with(
            x.data.map(v => Math.trunc(v / 3) + 40),
            x.height,
            x.width,
          )
        : x;
      const got = OPS[op]!(from, ...(dark ? [] : args));
      const what = `${op} ${JSON.stringify(args)} of ${size}`;
      expect([what, got.height, got.width, got.channels]).toEqual([what, ...shape]);
      expect([what, ...got.data]).toEqual([what, ...Buffer.from(bytes, 'base64')]);
    }
  });
});
