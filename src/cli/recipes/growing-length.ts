// What a longer text costs: a Transformer and a Mamba of equal size, in training and in writing, as the length doubles.

import { compile, manualSeed, profile, randint } from '../../index.ts';
import { chart, line, seriesColor } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { KINDS, type LanguageKind, sequenceLoss } from './language.ts';
import { count, defineRecipe, type Metrics, median } from './recipe.ts';

const VOCABULARY = 65;
/** About 200 000 parameters each. */
const NETS: readonly (readonly [kind: LanguageKind, size: { dModel: number; layers: number }])[] = [
  [KINDS.gpt, { dModel: 64, layers: 4 }],
  [KINDS.mamba, { dModel: 116, layers: 2 }],
];
/** Tokens that are written after a text of each length. */
const WRITTEN = 8;
const SHORTEST = 64;

interface Cost {
  readonly operations: number;
  readonly training: number;
  readonly writing: number;
}
/** What is measured of each net at each length. */
const MEASURES: Readonly<Record<keyof Cost, Words>> = {
  operations: { en: 'operations per token, forward and back', zh: '每个词元前向加反向的运算次数' },
  training: { en: 'milliseconds per token, forward and back', zh: '每个词元前向加反向的毫秒数' },
  writing: { en: 'milliseconds per written token', zh: '写出一个词元的毫秒数' },
};
const NAMES = Object.keys(MEASURES) as (keyof Cost)[];

async function costOf(
  kind: LanguageKind,
  size: { readonly dModel: number; readonly layers: number },
  { length, repeats }: { readonly length: number; readonly repeats: number },
): Promise<Cost> {
  const model = kind.build(VOCABULARY, { ...size, length });
  // What the text says makes no difference to what it costs.
  const text = randint(0, VOCABULARY, [1, length + 1]).realize(); // (1, T + 1)
  const [x, y] = [text.narrow(1, 0, length), text.narrow(1, 1, length)]; // (1, T) each
  // Forward and backward: the update that follows is the same at every length.
  const step = compile(() => {
    model.zeroGrad();
    const loss = sequenceLoss(model(x), y);
    loss.backward();
    return loss;
  });
  const timed = async (): Promise<number> => {
    const start = performance.now();
    await step().item();
    return performance.now() - start;
  };
  await timed();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) times.push(await timed());
  const { rows } = profile(() => step());
  const operations = rows.reduce((sum, r) => sum + r.flops, 0) / length;

  model.eval();
  const next = model.reader();
  const ids = [...(await text.data())].map(Number);
  const read = async (end: number): Promise<number> => {
    const start = performance.now();
    const logits = await next(ids.slice(0, end)); // (V)
    await logits.data();
    return performance.now() - start;
  };
  const before = length - WRITTEN;
  await read(before);
  const each: number[] = [];
  for (let i = 1; i <= WRITTEN; i++) each.push(await read(before + i));
  return { operations, training: median(times) / length, writing: median(each) };
}

export const growingLength = defineRecipe({
  name: 'growing-length',
  about: {
    en: 'What a longer text costs a Transformer and a Mamba of equal size: forward and back, and writing, as the length doubles',
    zh: '文本加长的代价：参数量相同的 Transformer 与 Mamba，长度每次加倍，比较前向加反向与生成',
  },
  goal: {
    en: 'operations per token: Mamba the same at every length (within 5 %), the Transformer more with every doubling',
    zh: '每个词元的运算次数：Mamba 在各个长度下相同（相差不超过 5 %），Transformer 随长度加倍而增加',
  },
  settings: {
    /** Passes that are timed at each length. */
    epochs: count(5),
    longest: count(2048),
  },
  async train({ settings, language, progress }) {
    const { epochs, longest } = settings;
    const lengths: number[] = [];
    for (let length = SHORTEST; length <= Math.max(longest, SHORTEST); length *= 2) lengths.push(length);
    const costs = new Map(NETS.map(([kind]) => [kind.title, [] as Cost[]]));
    const metrics: Metrics = {};
    for (const [i, length] of lengths.entries()) {
      for (const [kind, size] of NETS) {
        manualSeed(0);
        const cost = await costOf(kind, size, { length, repeats: epochs });
        costs.get(kind.title)!.push(cost);
        for (const [name, value] of Object.entries(cost)) metrics[`${name}${kind.title}${length}`] = value;
      }
      progress(i + 1, lengths.length, {});
    }
    /** Of the longest text beside the shortest. */
    const ratio = (title: string, name: keyof Cost): string => {
      const values = costs.get(title)!.map(c => c[name]);
      return (values.at(-1)! / values[0]!).toFixed(2);
    };
    return {
      metrics,
      facts: NETS.flatMap(([{ title }]) =>
        NAMES.map(name => {
          const { en, zh } = MEASURES[name];
          const label = {
            en: `${title}, ${lengths.at(-1)} / ${lengths[0]}: ${en}`,
            zh: `${title}，${lengths.at(-1)} / ${lengths[0]}：${zh}`,
          };
          return [label, `× ${ratio(title, name)}`] as const;
        }),
      ),
      pictures: async () =>
        Object.fromEntries(NAMES.map(name => [name, costPicture(name, lengths, costs, language)])),
    };
  },
});

function costPicture(
  name: keyof Cost,
  lengths: readonly number[],
  costs: ReadonlyMap<string, readonly Cost[]>,
  language: Language,
): string {
  const zh = language === 'zh';
  return chart({
    title: zh ? '文本加长的代价' : 'What a longer text costs',
    subtitle: NETS.map(([kind, { layers, dModel }]) => `${kind.title} ${layers}×${dModel}`).join(', '),
    x: { label: zh ? '长度（词元）' : 'length in tokens', log: true },
    y: { label: MEASURES[name][language], log: true },
    marks: [...costs].map(([title, values], i) =>
      line(
        lengths,
        values.map(c => c[name]),
        { name: title, color: seriesColor(i), width: 2 },
      ),
    ),
  });
}
