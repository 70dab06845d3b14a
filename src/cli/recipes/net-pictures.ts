// What a convolutional classifier has learnt and what it looks at, as pictures: filters, feature maps, saliency and Grad-CAM,
// receptive fields, what each layer costs, which pictures it takes for something else.
// In: a model and pictures. Out: SVG texts by name.

import type { Tensor } from '../../index.ts';
import { noGrad, randn } from '../../index.ts';
import { AvgPool2d, Conv2d, type Layer, MaxPool2d, type Module, summary } from '../../nn/index.ts';
import {
  featureMaps,
  gradCam,
  type Image,
  type ImageDataset,
  measureReceptiveField,
  mistakes,
  saliency,
} from '../../vision/index.ts';
import {
  fieldChart,
  heatOverlay,
  heatPixels,
  type PictureRow,
  type Pixels,
  pictureGrid,
  tableChart,
} from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { confusionPicture } from './curves.ts';
import { percent } from './recipe.ts';

/** A picture as it is, and as the model takes it, (1, C, H, W). */
export interface Seen {
  readonly name: string;
  readonly image: Image;
  readonly x: Tensor;
}
interface Look {
  readonly title: Words;
  readonly language: Language;
  readonly classes: readonly string[];
}
type Rows = number[][];
const CHANNELS = 12;
const WORST = 12;
const say = (language: Language, en: string, zh: string): string => (language === 'zh' ? zh : en);

/** The stages whose maps are worth a look: convolutions, poolings and blocks that are the model's own children. */
function stages(model: Layer, x: Tensor): string[] {
  return summary(model, x)
    .rows.filter(({ name, outputShapes }) => {
      if (name === '' || name.includes('.') || outputShapes[0]?.length !== 4) return false;
      const m = model.getSubmodule(name);
      return m instanceof Conv2d || m instanceof MaxPool2d || m instanceof AvgPool2d || m.length > 0;
    })
    .map(r => r.name);
}
/** Stages by number say too little: `0` is `0 Conv2d`. */
function stageName(model: Module, path: string): string {
  return /^\d+$/.test(path) ? `${path} ${model.getSubmodule(path).constructor.name}` : path;
}

/** Of one channel in signed colours, of three as a picture. */
async function filters(model: Layer, { title, language }: Look): Promise<string> {
  const [path, conv] = model.namedModules().find(([, m]) => m instanceof Conv2d) as [string, Conv2d];
  const all = (await conv.weight.tolist()) as Rows[][];
  const pictures = all.map(planes => (planes.length === 3 ? colourPixels(planes) : signed(planes[0]!)));
  const rows: PictureRow[] = [];
  for (let at = 0; at < pictures.length; at += 16)
    rows.push({ label: String(at), pictures: pictures.slice(at, at + 16) });
  return pictureGrid({
    title: title[language],
    subtitle: say(
      language,
      `filters of ${stageName(model, path)}: blue positive, orange negative`,
      `${stageName(model, path)} 的卷积核：蓝为正，橙为负`,
    ),
    rows,
    side: 40,
  });
}
const signed = (rows: Rows): Pixels => heatPixels(rows, { scale: 'signed' });
/** A map that is the same everywhere is black. */
function grey(rows: Rows): Pixels {
  const [low, high] = [Math.min(...rows.flat()), Math.max(...rows.flat())];
  return heatPixels(rows, { scale: 'grey', domain: [low, high > low ? high : low + 1] });
}
/** Three planes as red, green and blue; zero is the middle grey. */
function colourPixels(planes: readonly Rows[]): Pixels {
  const [height, width] = [planes[0]!.length, planes[0]![0]!.length];
  const most = Math.max(...planes.flat(2).map(Math.abs));
  const data = new Uint8Array(height * width * 3);
  for (const [c, rows] of planes.entries())
    for (const [y, row] of rows.entries())
      for (const [i, v] of row.entries()) data[3 * (y * width + i) + c] = 127.5 + (127.5 * v) / most;
  return { data, height, width, channels: 3 };
}

async function maps(
  model: Layer,
  { x, image, name }: Seen,
  paths: readonly string[],
  look: Look,
): Promise<string> {
  const found = featureMaps(model, x, paths);
  const rows: PictureRow[] = [{ label: name, pictures: [image] }];
  for (const path of paths) {
    const planes = (await found[path]!.select(0, 0)
      .narrow(0, 0, Math.min(CHANNELS, found[path]!.shape[1]!))
      .tolist()) as Rows[];
    const [, c, h, w] = found[path]!.shape;
    rows.push({
      label: `${stageName(model, path)}  ${c} × ${h} × ${w}`,
      pictures: planes.map(grey),
    });
  }
  return pictureGrid({
    title: look.title[look.language],
    subtitle: say(
      look.language,
      'the first feature maps of each stage, brighter is more',
      '每一级的前几张特征图，越亮值越大',
    ),
    rows,
  });
}

async function gaze(model: Layer, seen: readonly Seen[], path: string, look: Look): Promise<string> {
  const rows: PictureRow[] = [];
  for (const { name, image, x } of seen) {
    const p = noGrad(() => model(x)).softmax(1);
    const best = await p.argmax(1).item();
    const pixels = ((await saliency(model, x).tolist()) as Rows[])[0]!;
    const cam = ((await gradCam(model, x, path).tolist()) as Rows[])[0]!;
    rows.push({
      label: name,
      pictures: [image, heatOverlay(image, pixels), heatOverlay(image, cam)],
      captions: [
        `${look.classes[best]} ${percent(await p.max().item())}`,
        say(look.language, 'saliency', '显著图'),
        'Grad-CAM',
      ],
    });
  }
  return pictureGrid({
    title: look.title[look.language],
    subtitle: say(
      look.language,
      `what the answer hangs on: pixels (gradient), and places of ${stageName(model, path)}`,
      `判断依据：像素（梯度），以及 ${stageName(model, path)} 的位置`,
    ),
    rows,
    side: 96,
  });
}

async function fields(
  model: Layer,
  { image, x }: Seen,
  paths: readonly string[],
  look: Look,
): Promise<string> {
  // Random pictures, several: together their gradients reach all that is seen.
  const some = randn([32, ...x.shape.slice(1)]);
  const found = [];
  for (const path of paths) {
    const { height, width } = await measureReceptiveField(model, some, path);
    found.push({ name: stageName(model, path), size: Math.max(height, width) });
  }
  return fieldChart({
    title: look.title[look.language],
    subtitle: say(
      look.language,
      'what one place of each stage sees, measured by gradients',
      '每一级的一个位置能看到的范围（由梯度测得）',
    ),
    picture: image,
    fields: found,
  });
}

/** What each layer costs for one picture. */
function ledger(model: Layer, x: Tensor, { title, language }: Look): string {
  const s = summary(model, x);
  const rows = s.rows.filter(r => r.name !== '' && model.getSubmodule(r.name).children().length === 0);
  const number = (n: number): string => n.toLocaleString('en-US');
  return tableChart({
    title: title[language],
    subtitle: say(
      language,
      `one picture: ${number(s.parameters)} parameters, ${number(s.macs)} multiply-accumulates, ${number(s.activationBytes)} bytes of outputs`,
      `一张图片：${number(s.parameters)} 个参数，${number(s.macs)} 次乘加，输出 ${number(s.activationBytes)} 字节`,
    ),
    columns: [
      { heading: say(language, 'layer', '层'), values: rows.map(r => `${r.name}  ${r.kind}`) },
      {
        heading: say(language, 'output', '输出'),
        values: rows.map(r => r.outputShapes[0]?.slice(1).join(' × ') ?? ''),
      },
      { heading: say(language, 'parameters', '参数'), values: rows.map(r => r.parameters) },
      { heading: say(language, 'MACs', '乘加次数'), values: rows.map(r => r.macs) },
      { heading: say(language, 'bytes out', '输出字节'), values: rows.map(r => r.activationBytes) },
    ],
  });
}

/** Classes up to which a confusion matrix can be read. */
const READABLE = 20;
async function errors(model: Layer, test: ImageDataset<Tensor>, look: Look): Promise<Record<string, string>> {
  const m = await mistakes(model, test);
  const worst = m.mistakes.slice(0, WORST);
  const plain = test.withTransform(null);
  const pictures = await Promise.all(worst.map(async w => (await plain.get(w.index))[0]));
  const line = (at: number): PictureRow => ({
    label: '',
    pictures: pictures.slice(at, at + 4),
    captions: worst
      .slice(at, at + 4)
      .map(w => `${w.title}: ${m.classes[w.truth]} → ${m.classes[w.predicted]}`),
  });
  const words = { title: look.title, subtitle: percent(m.accuracy), language: look.language };
  return {
    mistakes: pictureGrid({
      title: look.title[look.language],
      subtitle: say(look.language, 'wrong, and surest of it', '错得最自信的图片'),
      rows: [0, 4, 8].map(line).filter(r => r.pictures.length > 0),
      side: 190,
    }),
    ...(m.classes.length <= READABLE ? { confusion: confusionPicture(m.matrix, m.classes, words) } : {}),
  };
}

/** All pictures of a trained model, by file name. `seen` must hold at least one picture. */
export async function netPictures(
  model: Layer,
  seen: readonly Seen[],
  test: ImageDataset<Tensor>,
  look: Look,
): Promise<Record<string, string>> {
  const first = seen[0]!;
  const paths = stages(model, first.x);
  return {
    filters: await filters(model, look),
    maps: await maps(model, first, paths, look),
    gaze: await gaze(model, seen, paths.at(-1)!, look),
    fields: await fields(model, first, paths, look),
    ledger: ledger(model, first.x, look),
    ...(await errors(model, test, look)),
  };
}
