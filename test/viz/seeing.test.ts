// Pictures of what networks see: heat, windows, blocks, tables, receptive fields.

import { describe, expect, it } from 'vitest';
import {
  blockChart,
  fieldChart,
  heatOverlay,
  heatPixels,
  type Pixels,
  tableChart,
  windowChart,
} from '../../src/viz/index.ts';
import { checkXml } from './xml.ts';

const pixel = (p: Pixels, y: number, x: number): number[] =>
  Array.from(p.data.subarray((y * p.width + x) * p.channels, (y * p.width + x + 1) * p.channels));

describe('heat', () => {
  it('grey goes from black to white over the values, one pixel each', () => {
    const p = heatPixels([[0, 1, 2]], { scale: 'grey' });
    expect([p.height, p.width, p.channels]).toEqual([1, 3, 3]);
    expect(pixel(p, 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(p, 0, 2)).toEqual([255, 255, 255]);
    expect(pixel(p, 0, 1)[0]).toBeGreaterThan(60);
  });
  it('signed has zero in the middle, however uneven the values', () => {
    const p = heatPixels([[-1, 0, 4]], { scale: 'signed' });
    expect(pixel(p, 0, 1)).toEqual([255, 255, 255]);
    const [r, , b] = pixel(p, 0, 0);
    expect(r!).toBeGreaterThan(b!); // orange
    expect(pixel(p, 0, 2)[2]!).toBeGreaterThan(pixel(p, 0, 2)[0]!); // blue
  });
  it('equal values have one colour, of all zeros an overlay is cold', () => {
    const flat = heatPixels([
      [3, 3],
      [3, 3],
    ]);
    expect(new Set([0, 1].flatMap(y => [0, 1].map(x => pixel(flat, y, x).join()))).size).toBe(1);
    const grey: Pixels = { data: new Uint8Array(16).fill(100), height: 4, width: 4, channels: 1 };
    const cold = heatOverlay(grey, [[0, 0]], { share: 1 });
    expect(pixel(cold, 0, 0)).toEqual(pixel(heatPixels([[0, 1]]), 0, 0));
  });
  it('an overlay is warmest where the map is, interpolated to the size of the picture', () => {
    const grey: Pixels = { data: new Uint8Array(8 * 8 * 3).fill(50), height: 8, width: 8, channels: 3 };
    const map = [
      [0, 0],
      [0, 1],
    ];
    const p = heatOverlay(grey, map, { share: 1 });
    const red = (y: number, x: number): number => pixel(p, y, x)[0]!;
    expect([p.height, p.width]).toEqual([8, 8]);
    expect(red(7, 7)).toBeGreaterThan(red(4, 4));
    expect(red(4, 4)).toBeGreaterThan(red(0, 0));
    // Nothing of the heat: the picture in grey.
    expect(pixel(heatOverlay(grey, map, { share: 0 }), 3, 3)).toEqual([50, 50, 50]);
  });
});

const tags = (svg: string, tag: string): number => svg.split(`<${tag} `).length - 1;

it('windows: a frame for each step, results appear one by one', () => {
  const taps = [{ row: 0, column: 0, weight: 1 }];
  const steps = [0, 1].map(column => ({
    row: 0,
    column,
    value: 7 + column,
    taps,
    window: { top: 0, left: column, height: 1, width: 2 },
  }));
  const draw = (show?: number[]): string =>
    windowChart({ title: 'max < avg', input: [[1, 2, 3]], steps, ...(show && { show }) });
  const svg = draw();
  checkXml(svg);
  expect(svg).toContain('>max &lt; avg<');
  expect(svg.match(/<g transform/g)!.length).toBe(2);
  expect(svg.match(/>7</g)!.length).toBe(2);
  expect(svg.match(/>8</g)!.length).toBe(1);
  // The ground; each frame 3 + 2 cells and the window's outline.
  expect(tags(svg, 'rect')).toBe(1 + 2 * (3 + 2 + 1));
  expect(draw([0])).not.toContain('>8<');
});

it('blocks: boxes with all their lines, arrows straight and around', () => {
  const svg = blockChart({
    title: 'a block',
    panels: [
      {
        heading: 'identity',
        blocks: [
          { name: 'x', label: 'x', column: 0, row: 0 },
          { name: 'f', label: ['3 × 3', 'BN'], column: 0, row: 1, series: 0 },
          { name: 'sum', label: '+', column: 0, row: 2 },
        ],
        arrows: [
          { from: 'x', to: 'f' },
          { from: 'f', to: 'sum', label: 'F(x)' },
          { from: 'x', to: 'sum', around: 1, label: 'x' },
        ],
      },
    ],
  });
  checkXml(svg);
  for (const words of ['identity', '3 × 3', 'BN', '+', 'F(x)']) expect(svg).toContain(`>${words}<`);
  // A line and a head for each arrow.
  expect(tags(svg, 'path')).toBe(6);
});

it('tables: numbers in groups of three, the largest with the longest bar', () => {
  const svg = tableChart({
    title: 'ledger',
    columns: [
      { heading: 'layer', values: ['conv', 'fc'] },
      { heading: 'parameters', values: [500, 40_000] },
    ],
  });
  checkXml(svg);
  expect(svg).toContain('>40,000<');
  const bars = [...svg.matchAll(/width="([\d.]+)" height="17"/g)].map(m => Number(m[1]));
  expect(bars.length).toBe(2);
  expect(bars[1]! / bars[0]!).toBeCloseTo(80, 0);
});

it('receptive fields: a square of the right side for each layer, cut at the picture', () => {
  const picture: Pixels = { data: new Uint8Array(100), height: 10, width: 10, channels: 1 };
  const svg = fieldChart({
    title: 'fields',
    picture,
    fields: [
      { name: 'conv1', size: 5 },
      { name: 'all', size: 40 },
    ],
  });
  checkXml(svg);
  expect(svg).toContain('>conv1: 5 × 5<');
  const sides = [...svg.matchAll(/<rect [^>]*width="([\d.]+)" height="([\d.]+)" fill="none"/g)].map(m => [
    Number(m[1]),
    Number(m[2]),
  ]);
  expect(sides).toEqual([
    [130, 130],
    [260, 260],
  ]);
});
