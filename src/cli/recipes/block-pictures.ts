// The blocks that the networks of pictures are made of, as diagrams; widths and windows as the papers have them.

import { type Block, type BlockArrow, type BlockPanel, blockChart } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';

/** Boxes below each other, with arrows between them. */
function chain(names: readonly (readonly string[])[], column = 0, first = 0): BlockPart {
  const blocks = names.map((label, i) => ({
    name: `${column}:${first + i}`,
    label,
    column,
    row: first + i,
    series: 0,
  }));
  const arrows = blocks.slice(1).map((b, i) => ({ from: blocks[i]!.name, to: b.name }));
  return { blocks, arrows };
}
interface BlockPart {
  readonly blocks: readonly Block[];
  readonly arrows: readonly BlockArrow[];
}

/** x → layers → + ← shortcut. */
function residual(heading: string, layers: readonly string[], shortcut: string | null): BlockPanel {
  const body = chain(
    layers.map(l => [l]),
    0,
    1,
  );
  const last = body.blocks.at(-1)!;
  const [x, sum] = [
    { name: 'x', label: 'x', column: 0, row: 0 },
    { name: 'sum', label: '+', column: 0, row: layers.length + 1 },
  ];
  const out = { name: 'out', label: 'ReLU', column: 0, row: layers.length + 2 };
  const side =
    shortcut === null
      ? { blocks: [], arrows: [{ from: 'x', to: 'sum', around: 1, label: 'x' }] }
      : {
          blocks: [{ name: 'side', label: shortcut, column: 1, row: 1, series: 1 }],
          arrows: [
            { from: 'x', to: 'side' },
            { from: 'side', to: 'sum', around: 1 },
          ],
        };
  return {
    heading,
    blocks: [x, ...body.blocks, ...side.blocks, sum, out],
    arrows: [
      { from: 'x', to: body.blocks[0]!.name },
      ...body.arrows,
      { from: last.name, to: 'sum', label: 'F(x)' },
      ...side.arrows,
      { from: 'sum', to: 'out' },
    ],
  };
}
/** Branches side by side that are joined by channels. */
function inception(heading: string, join: string, pool: string): BlockPanel {
  const branches: readonly (readonly string[])[] = [
    ['1 × 1, 64'],
    ['1 × 1, 96', '3 × 3, 128'],
    ['1 × 1, 16', '5 × 5, 32'],
    [pool, '1 × 1, 32'],
  ];
  const made = branches.map((names, i) =>
    chain(
      names.map(n => [n]),
      i - 1.5,
      3 - names.length,
    ),
  );
  return {
    heading,
    blocks: [
      { name: 'x', label: 'x, 192', column: 0, row: 0 },
      ...made.flatMap(m => m.blocks),
      { name: 'join', label: `${join}, 256`, column: 0, row: 3 },
    ],
    arrows: made.flatMap(m => [
      { from: 'x', to: m.blocks[0]!.name, around: m.blocks[0]!.column },
      ...m.arrows,
      { from: m.blocks.at(-1)!.name, to: 'join' },
    ]),
  };
}
/** Each layer sees all before it. */
function dense(heading: string, join: string): BlockPanel {
  const body = chain([['x'], ['H₁', '+k'], ['H₂', '+k'], ['H₃', '+k'], [join]]);
  const name = (i: number): string => body.blocks[i]!.name;
  return {
    heading,
    blocks: body.blocks,
    arrows: [
      ...body.arrows,
      { from: name(0), to: name(2), around: 0.8 },
      { from: name(0), to: name(3), around: 1 },
      { from: name(0), to: name(4), around: 1.2 },
      { from: name(1), to: name(3), around: -0.8 },
      { from: name(1), to: name(4), around: -1 },
      { from: name(2), to: name(4), around: -1.2 },
    ],
  };
}

const WORDS: Readonly<Record<string, Words>> = {
  title: { en: 'Blocks', zh: '网络的构件' },
  identity: { en: 'ResNet: identity', zh: 'ResNet：恒等块' },
  projection: { en: 'ResNet: projection', zh: 'ResNet：卷积块' },
  bottleneck: { en: 'ResNet: bottleneck', zh: 'ResNet：瓶颈块' },
  dense: { en: 'DenseNet', zh: 'DenseNet：稠密块' },
  inception: { en: 'Inception (3a)', zh: 'Inception（3a）' },
  join: { en: 'join', zh: '拼接' },
  pool: { en: 'max 3 × 3', zh: '最大 3 × 3' },
};
/** Residual, dense and Inception blocks in one picture. */
export function blockPicture(language: Language): string {
  const say = (key: string): string => WORDS[key]![language];
  return blockChart({
    title: say('title'),
    panels: [
      residual(say('identity'), ['3 × 3, BN, ReLU', '3 × 3, BN'], null),
      residual(say('projection'), ['3 × 3, s 2, BN, ReLU', '3 × 3, BN'], '1 × 1, s 2, BN'),
      residual(say('bottleneck'), ['1 × 1, BN, ReLU', '3 × 3, BN, ReLU', '1 × 1, 4c, BN'], null),
      dense(say('dense'), say('join')),
      inception(say('inception'), say('join'), say('pool')),
    ],
  });
}
