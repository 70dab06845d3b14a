// Pictures: scales, contours, and that a chart shows what it was given.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/vision/index.ts';
import { mix } from '../../src/viz/color.ts';
import {
  bands,
  chart,
  contours,
  dots,
  figure,
  formatTick,
  type Grid,
  isoline,
  line,
  linearScale,
  logScale,
  network,
  note,
  pictureGrid,
  pngBytes,
  rule,
} from '../../src/viz/index.ts';
import { niceInterval } from '../../src/viz/scale.ts';
import { checkXml } from './xml.ts';

const count = (svg: string, tag: string): number => svg.split(`<${tag} `).length - 1;

describe('scales', () => {
  it('tick at 1, 2 and 5 times powers of ten, inside the domain', () => {
    expect(linearScale([0, 1], [0, 100]).ticks(5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(linearScale([-3, 3], [0, 1]).ticks(7)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    expect(linearScale([0.1, 0.35], [0, 1]).ticks(5)).toEqual([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
    expect(logScale([0.001, 1], [0, 1]).ticks(5)).toEqual([0.001, 0.01, 0.1, 1]);
    expect(logScale([0.03, 0.7], [0, 1]).ticks(5)).toEqual([0.05, 0.1, 0.2, 0.5]);
  });
  it('map both ends exactly', () => {
    const s = linearScale([-2, 6], [400, 0]);
    expect([s.at(-2), s.at(2), s.at(6)]).toEqual([400, 200, 0]);
    expect(logScale([1, 100], [0, 10]).at(10)).toBeCloseTo(5, 12);
  });
  it.each([
    [-6.2, 10.3],
    [0.0011, 0.0098],
    [3, 3],
    [0, 0],
  ])('niceInterval of %f … %f holds both and ends on ticks', (lo, hi) => {
    const [a, b] = niceInterval([lo, hi]);
    expect(a).toBeLessThanOrEqual(lo);
    expect(b).toBeGreaterThanOrEqual(hi);
    expect(b).toBeGreaterThan(a);
    const ticks = linearScale([a, b], [0, 1]).ticks(5);
    expect(ticks[0]).toBeCloseTo(a, 9);
    expect(ticks.at(-1)).toBeCloseTo(b, 9);
  });
  it('write numbers as people do', () => {
    const written = [0, -1.5, 0.05, 1234, 1e5, 2.5e-7, -1e-9].map(formatTick);
    expect(written).toEqual(['0', '−1.5', '0.05', '1234', '10⁵', '2.5·10⁻⁷', '−10⁻⁹']);
  });
});

it('mix goes through OKLab, from end to end', () => {
  expect(mix('#ffffff', '#2474b5', 0)).toBe('#ffffff');
  expect(mix('#ffffff', '#2474b5', 1)).toBe('#2474b5');
  expect(mix('#000000', '#ffffff', 0.5)).toBe('#636363');
});

const sample = (f: (x: number, y: number) => number, n = 81): Grid => ({
  x: [-1, 1],
  y: [-1, 1],
  columns: n,
  rows: n,
  values: Float64Array.from({ length: n * n }, (_, k) =>
    f(-1 + (2 * (k % n)) / (n - 1), -1 + (2 * Math.floor(k / n)) / (n - 1)),
  ),
});
/** Twice the signed area of a ring: positive where the higher side is inside. */
const area = (points: readonly (readonly [number, number])[]): number =>
  points.reduce((sum, [x, y], i) => {
    const [u, v] = points[(i + 1) % points.length]!;
    return sum + (x * v - u * y) / 2;
  }, 0);

describe('contours', () => {
  it('find a circle as one ring at its radius', () => {
    const rings = contours(
      sample((x, y) => 0.6 - Math.hypot(x, y)),
      0,
      false,
    );
    expect(rings.length).toBe(1);
    expect(rings[0]!.closed).toBe(true);
    for (const [x, y] of rings[0]!.points) expect(Math.hypot(x, y)).toBeCloseTo(0.6, 3);
    expect(area(rings[0]!.points)).toBeCloseTo(Math.PI * 0.36, 2);
  });
  it('give a hole the other direction', () => {
    const rings = contours(
      sample((x, y) => 0.3 - Math.abs(Math.hypot(x, y) - 0.5)),
      0,
      false,
    );
    const areas = rings.map(r => area(r.points)).sort((a, b) => a - b);
    expect(areas[0]).toBeCloseTo(-Math.PI * 0.04, 2);
    expect(areas[1]).toBeCloseTo(Math.PI * 0.64, 2);
  });
  it('end at the border, or close along it when filled', () => {
    const slope = sample(x => x, 5);
    const open = contours(slope, 0.25, false);
    expect(open.map(c => c.closed)).toEqual([false]);
    expect(open[0]!.points.every(p => Math.abs(p[0] - 0.25) < 1e-12)).toBe(true);
    const filled = contours(slope, 0.25, true);
    expect(filled.map(c => c.closed)).toEqual([true]);
    expect(area(filled[0]!.points)).toBeCloseTo(0.75 * 2, 12);
  });
  it('fill everything or nothing', () => {
    const flat = (v: number): Grid => sample(() => v, 4);
    const [all] = contours(flat(1), 0.5, true);
    expect(area(all!.points)).toBeCloseTo(4, 12);
    expect(contours(flat(0), 0.5, true)).toEqual([]);
  });
  it('keep the two hills of a saddle apart, or join them, by the middle', () => {
    const cell = (values: number[]): Grid => ({ x: [0, 1], y: [0, 1], columns: 2, rows: 2, values });
    expect(contours(cell([1, 0, 0, 1]), 0.6, true).length).toBe(2);
    expect(contours(cell([1, 0, 0, 1]), 0.4, true).length).toBe(1);
    expect(contours(cell([0, 1, 1, 0]), 0.6, true).length).toBe(2);
    expect(contours(cell([0, 1, 1, 0]), 0.4, true).length).toBe(1);
  });
});

describe('charts', () => {
  it('show title, legend, axes and marks', () => {
    const svg = chart({
      title: 'Loss & more <here>',
      subtitle: 'three epochs',
      x: { label: 'epoch' },
      y: { label: 'loss', log: true },
      marks: [
        line([1, 2, 3], [0.9, 0.1, 0.02], { name: 'training' }),
        line([1, 2, 3], [1, 0.2, 0.1], { name: 'test', dash: '4 3' }),
        dots([1, 3], [0.5, 0.5], { shape: 'diamond' }),
        rule({ x: 2 }, { label: 'here' }),
        note(3, 0.02, 'best'),
      ],
    });
    checkXml(svg);
    for (const words of [
      'Loss &amp; more &lt;here&gt;',
      'three epochs',
      'training',
      'test',
      'epoch',
      'here',
      'best',
    ])
      expect(svg).toContain(`>${words}</text>`);
    expect(svg).toContain('role="img" aria-label="Loss &amp; more &lt;here&gt;. three epochs"');
  });
  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%f leaves the axes as they are', v => {
    const drawn = (gap: number): string => chart({ title: 't', marks: [line([0, 1, 2, 3], [5, 7, gap, 6])] });
    expect(drawn(v)).toBe(drawn(Number.NaN));
  });
  it('interrupt a line at a value that is not finite', () => {
    const svg = chart({ title: 't', marks: [line([0, 1, 2, 3, 4], [0, 1, Number.NaN, 1, 0])] });
    checkXml(svg);
    expect(svg).toMatch(/d="M[^"]*L[^"]*M[^"]*L[^"]*"/);
  });
  it('survive empty and constant data', () => {
    checkXml(chart({ title: 't', marks: [] }));
    checkXml(chart({ title: 't', marks: [line([], [], { name: 'nothing' }), dots([], [])] }));
    checkXml(chart({ title: 't', marks: [line([1, 2], [3, 3])], y: { log: true } }));
  });
  it('draw a field as bands with the boundary on top', () => {
    const grid = sample((x, y) => 1 / (1 + Math.exp(20 * (Math.hypot(x, y) - 0.6))));
    const svg = chart({
      title: 'boundary',
      plane: true,
      marks: [
        bands(grid, {
          levels: [0.25, 0.5, 0.75],
          color: i => ['#aaaaaa', '#bbbbbb', '#cccccc', '#dddddd'][i]!,
        }),
        isoline(grid, 0.5),
      ],
    });
    checkXml(svg);
    for (const color of ['#aaaaaa', '#bbbbbb', '#cccccc', '#dddddd'])
      expect(svg).toContain(`fill="${color}"`);
    expect(svg.lastIndexOf('fill="none"')).toBeGreaterThan(svg.indexOf('#dddddd'));
  });
  it('put panels side by side or below each other', () => {
    const panel = { marks: [line([0, 1], [0, 1])] };
    const size = (svg: string): number[] =>
      [...svg.matchAll(/^<svg .*?width="([\d.]+)" height="([\d.]+)"/g)][0]!.slice(1, 3).map(Number);
    const [w1, h1] = size(figure({ title: 't', panels: [panel] }));
    const [w2, h2] = size(figure({ title: 't', panels: [panel, panel] }));
    const [w3, h3] = size(figure({ title: 't', panels: [panel, panel], columns: 1 }));
    expect(w2).toBeGreaterThan(1.8 * w1!);
    expect(h2).toBe(h1);
    expect(w3).toBe(w1);
    expect(h3).toBeGreaterThan(1.7 * h1!);
  });
});

it('network draws every unit and every weight, with shapes', () => {
  const weights = (to: number, from: number) =>
    Array.from({ length: to }, (_, j) =>
      Array.from({ length: from }, (_, i) => ((i + j) % 2 === 0 ? 1 : -2)),
    );
  const svg = network({
    title: 'net',
    layers: [
      { name: 'input', shape: '(m, 2)', units: 2 },
      { name: 'hidden', shape: '(m, 4)', units: 4, maps: Array.from({ length: 4 }, () => sample(x => x, 9)) },
      { name: 'output', shape: '(m, 2)', units: 2 },
    ],
    links: [
      { weights: weights(4, 2), label: 'W₁ (4, 2), b₁ (4)' },
      { weights: weights(2, 4), label: 'W₂ (2, 4), b₂ (2)' },
    ],
  });
  checkXml(svg);
  expect(count(svg, 'svg')).toBe(1 + 2 + 4 + 2);
  expect(svg.match(/stroke-opacity/g)!.length).toBe(8 + 8);
  for (const words of ['(m, 2)', '(m, 4)', 'W₁ (4, 2), b₁ (4)']) expect(svg).toContain(words);
});

describe('fonts of PNG pictures', () => {
  const root = join(import.meta.dirname, '../..');
  /** Characters that a TrueType font has glyphs for: its cmap, formats 4 and 12. */
  function charactersOf(file: string): Set<number> {
    const b = readFileSync(file);
    const found = new Set<number>();
    let cmap = 0;
    for (let i = 0; i < b.readUInt16BE(4); i++)
      if (b.toString('latin1', 12 + 16 * i, 16 + 16 * i) === 'cmap') cmap = b.readUInt32BE(20 + 16 * i);
    for (let i = 0; i < b.readUInt16BE(cmap + 2); i++) {
      const at = cmap + b.readUInt32BE(cmap + 8 + 8 * i);
      if (b.readUInt16BE(at) === 12) {
        for (let g = 0; g < b.readUInt32BE(at + 12); g++) {
          const [first, last] = [b.readUInt32BE(at + 16 + 12 * g), b.readUInt32BE(at + 20 + 12 * g)];
          for (let c = first; c <= last; c++) found.add(c);
        }
      } else if (b.readUInt16BE(at) === 4) {
        const n = b.readUInt16BE(at + 6) / 2;
        for (let s = 0; s < n; s++) {
          const [last, first] = [b.readUInt16BE(at + 14 + 2 * s), b.readUInt16BE(at + 16 + 2 * n + 2 * s)];
          for (let c = first; c <= last && c !== 0xffff; c++) found.add(c);
        }
      }
    }
    return found;
  }
  /** Every character that stands in a string of the sources that draw pictures. */
  const used = new Set<string>();
  for (const file of [
    'batch-size',
    'classify',
    'kinks',
    'line',
    'optimizer-race',
    'plane',
    'rings',
    'shapes',
    'recipe',
  ])
    for (const c of readFileSync(join(root, `src/cli/recipes/${file}.ts`), 'utf8')) used.add(c);
  it.each(['Regular', 'SemiBold'])('%s has a glyph for each (else: npm run fonts)', weight => {
    const fonts = ['Inter', 'NotoSansSC'].map(f =>
      charactersOf(join(root, `src/cli/fonts/${f}-${weight}.ttf`)),
    );
    const missing = [...used].filter(c => c > ' ' && !fonts.some(f => f.has(c.codePointAt(0)!)));
    expect(missing).toEqual([]);
    expect(used.size).toBeGreaterThan(100);
  });
});

describe('small pictures', () => {
  const pixels = (height: number, width: number, channels: number) => ({
    data: Uint8Array.from({ length: height * width * channels }, (_, i) => (i * 37) % 256),
    height,
    width,
    channels,
  });
  it('are PNG files that a decoder reads pixel for pixel, also those of several blocks', async () => {
    for (const [h, w, c] of [
      [5, 7, 1],
      [5, 7, 3],
      [3, 2, 4],
      [200, 150, 3],
    ] as const) {
      const x = pixels(h, w, c);
      const back = await decodeImage(pngBytes(x), { channels: c });
      expect([back.height, back.width, back.channels]).toEqual([h, w, c]);
      expect(back.data).toEqual(x.data);
    }
  });
  it('stand in rows with their names, in their own form', async () => {
    const svg = pictureGrid({
      title: 'augmented',
      subtitle: 'a < b',
      rows: [
        { label: 'cat', pictures: [pixels(4, 4, 3), pixels(4, 8, 3)] },
        { label: 'dog', pictures: [pixels(4, 4, 1)], captions: ['seed 1'] },
      ],
      side: 40,
    });
    checkXml(svg);
    expect(count(svg, 'image')).toBe(3);
    for (const words of ['augmented', 'cat', 'dog', 'seed 1', 'a &lt; b'])
      expect(svg).toContain(`>${words}<`);
    expect(svg).toMatch(/<image [^>]*width="40" height="20"/);
    const [, address] = /href="data:image\/png;base64,([^"]+)"/.exec(svg)!;
    const first = await decodeImage(Buffer.from(address!, 'base64'));
    expect(first.data).toEqual(pixels(4, 4, 3).data);
  });
});
