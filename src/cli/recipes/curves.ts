// How a training went: loss and accuracy after each epoch, of any number of runs.

import { chart, figure, line, type Mark, matrixChart, seriesColor, THEME } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';

export type Curves = Readonly<Record<string, readonly number[]>>;
const WORDS: Readonly<Record<string, Words>> = {
  epoch: { en: 'epoch', zh: '轮' },
  loss: { en: 'Loss', zh: '损失' },
  accuracy: { en: 'Accuracy', zh: '准确率' },
  train: { en: 'training', zh: '训练' },
  test: { en: 'test', zh: '测试' },
  val: { en: 'validation', zh: '验证' },
};
const PARTS = ['train', 'val', 'test'] as const;
/** Where an epoch is a point, epochs count from 1. */
const epochs = (values: readonly number[]): number[] => values.map((_, i) => i + 1);

interface CurveOptions {
  readonly title: Words;
  readonly subtitle: string;
  readonly language: Language;
}
/** Loss and, where it was measured, accuracy of one training. */
export function trainingPicture(history: Curves, { title, subtitle, language }: CurveOptions): string {
  const marksOf = (metric: 'Loss' | 'Accuracy', scale: number): Mark[] =>
    PARTS.flatMap((part, i) => {
      const values = history[`${part}${metric}`];
      if (values === undefined) return [];
      const name = WORDS[part]![language];
      return [
        line(
          epochs(values),
          values.map(v => v * scale),
          { name, color: seriesColor(i), width: 2 },
        ),
      ];
    });
  const accuracies = PARTS.flatMap(part => history[`${part}Accuracy`] ?? []);
  const low = Math.floor(Math.min(...accuracies) * 20) * 5;
  return figure({
    title: title[language],
    subtitle,
    width: 380,
    height: 260,
    panels: [
      {
        heading: WORDS['loss']![language],
        x: { label: WORDS['epoch']![language] },
        y: { log: true },
        marks: marksOf('Loss', 1),
      },
      ...(accuracies.length === 0
        ? []
        : [
            {
              heading: WORDS['accuracy']![language],
              x: { label: WORDS['epoch']![language] },
              y: { label: '%', domain: [low, 100] as const },
              marks: marksOf('Accuracy', 100),
            },
          ]),
    ],
  });
}

/** One curve per run over the same axis. */
export function comparisonPicture(
  runs: Readonly<Record<string, readonly number[]>>,
  {
    title,
    subtitle,
    language,
    label,
    log = false,
  }: CurveOptions & { readonly label: string; readonly log?: boolean },
): string {
  return chart({
    title: title[language],
    subtitle,
    x: { label: WORDS['epoch']![language] },
    y: { label, log },
    marks: Object.entries(runs).map(([name, values], i) =>
      line(epochs(values), values, {
        name,
        color: seriesColor(i),
        width: 2,
        ...(i < THEME.series.length ? {} : { dash: '6 3' }),
      }),
    ),
  });
}

/** How often each class (row) was told to be each class (column), as shades with counts. */
export function confusionPicture(
  matrix: readonly (readonly number[])[],
  classes: readonly string[],
  { title, subtitle, language }: CurveOptions,
): string {
  return matrixChart({
    title: title[language],
    subtitle,
    rows: classes,
    columns: classes,
    values: matrix,
    rowLabel: language === 'zh' ? '真实类别' : 'true class',
    columnLabel: language === 'zh' ? '预测类别' : 'predicted class',
  });
}
