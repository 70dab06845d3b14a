// Texts to learn from: films, hotels, poems, plays, names.
// In: which part. Out: texts, with labels where there are some. Files come from the data folder or their public addresses.

import { FileError, show, ValueError } from '../base/errors.ts';
import { shuffled } from '../data/draws.ts';
import type { FileOptions } from '../data/files.ts';
import { gunzip, loadFile, parseCsv, readDataFile, readTar } from '../data/index.ts';
import { readBytes, type Source } from '../io/index.ts';
import { Zip } from '../io/zip.ts';
import { Generator } from '../tensor/random.ts';
import { parseTrees, type SentimentTree } from './trees.ts';
import { decodeUtf8, type Utf8Options } from './utf8.ts';
import { parsed } from './vocab.ts';

/** A text and the number of its class. */
export interface LabelledText {
  readonly text: string;
  readonly label: number;
}
export type Split3 = 'train' | 'validation' | 'test';
export interface SplitFile<S extends string = Split3> extends FileOptions {
  /** Default 'train'. */
  readonly split?: S;
}

// ---- files -------------------------------------------------------------------------------------------------------------

interface Place {
  /** Owner, name, short commit, branch of the repository. */
  readonly repository: readonly [owner: string, name: string, commit: string, branch: string];
  readonly path: string;
  readonly sha256: string;
}
const SHAKESPEARE = ['karpathy', 'char-rnn', '6f9487a', 'master'] as const;
const SST2 = ['clairett', 'pytorch-sentiment-classification', '457ffd8', 'master'] as const;
const POLARITY = ['dennybritz', 'cnn-text-classification-tf', '18762b4', 'master'] as const;
const REVIEWS = ['SophonPlus', 'ChineseNlpCorpus', 'a0b781d', 'master'] as const;
const POETRY = ['chinese-poetry', 'chinese-poetry', '99ebbef', 'master'] as const;
const NAMES = ['karpathy', 'makemore', '988aa59', 'master'] as const;

/** By path below the data folder. */
const FILES: Readonly<Record<string, Place>> = {
  'tinyshakespeare/input.txt': {
    repository: SHAKESPEARE,
    path: 'data/tinyshakespeare/input.txt',
    sha256: '86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed',
  },
  'names/names.txt': {
    repository: NAMES,
    path: 'names.txt',
    sha256: '0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d',
  },
  'sst2/train.tsv': {
    repository: SST2,
    path: 'data/SST2/train.tsv',
    sha256: 'ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920',
  },
  'sst2/dev.tsv': {
    repository: SST2,
    path: 'data/SST2/dev.tsv',
    sha256: 'eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359',
  },
  'sst2/test.tsv': {
    repository: SST2,
    path: 'data/SST2/test.tsv',
    sha256: '831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7',
  },
  'rt-polarity/rt-polarity.pos': {
    repository: POLARITY,
    path: 'data/rt-polaritydata/rt-polarity.pos',
    sha256: '4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58',
  },
  'rt-polarity/rt-polarity.neg': {
    repository: POLARITY,
    path: 'data/rt-polaritydata/rt-polarity.neg',
    sha256: '2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd',
  },
  'chnsenticorp/ChnSentiCorp_htl_all.csv': {
    repository: REVIEWS,
    path: 'datasets/ChnSentiCorp_htl_all/ChnSentiCorp_htl_all.csv',
    sha256: '1d414b9c65caf3a836abdb4efded621968502ad3338e1a9d885ae131c86083f0',
  },
  'waimai_10k/waimai_10k.csv': {
    repository: REVIEWS,
    path: 'datasets/waimai_10k/waimai_10k.csv',
    sha256: 'b8b5c11c00b51578d35937fca56e03a126b45381f1ea4b22893237cb377a26fe',
  },
  'chinese-poetry/poet.tang.0.json': {
    repository: POETRY,
    path: '全唐诗/poet.tang.0.json',
    sha256: '4f88f429938082523cdc72a1612bd7a7c3e3f7a33f8192c61ae51340efc3c92d',
  },
  'chinese-poetry/poet.tang.1000.json': {
    repository: POETRY,
    path: '全唐诗/poet.tang.1000.json',
    sha256: '6e703b8d8dcedbd6110f6d48d043665ca2131db2035a5bfcef5e59a19aeb6d75',
  },
  'chinese-poetry/poet.tang.2000.json': {
    repository: POETRY,
    path: '全唐诗/poet.tang.2000.json',
    sha256: 'ec28efa7e2ae9cdbbba09f0ed186e32ccae47a325ad1e5816b7ad56071c1665a',
  },
  'chinese-poetry/poet.tang.3000.json': {
    repository: POETRY,
    path: '全唐诗/poet.tang.3000.json',
    sha256: '9e4ba2323752b6b9fbdba875cdbc6a26636fe0cabc85fd066370d4915952001f',
  },
  'chinese-poetry/tang300.json': {
    repository: POETRY,
    path: '全唐诗/唐诗三百首.json',
    sha256: 'd77a145f7470da2ed2f79515944563c062ffc43fceda07f195a36ead66b7e5c7',
  },
  'chinese-poetry/ci.song.0.json': {
    repository: POETRY,
    path: '宋词/ci.song.0.json',
    sha256: '7761bc5ef50305753ea3dcea9e1ef3164e153e3ee366169e9c5a9a7d85b21b22',
  },
  'chinese-poetry/ci.song.1000.json': {
    repository: POETRY,
    path: '宋词/ci.song.1000.json',
    sha256: '5f79a2d9011e6d414f04e51176c5d4f4c762fd784dce98b035968367b6f2ef4e',
  },
  'chinese-poetry/songci300.json': {
    repository: POETRY,
    path: '宋词/宋词三百首.json',
    sha256: 'ca5d74f7fdb9d5a6acc22a7c8b4395228cad4bb8be53df44c19ba83ab6983b20',
  },
};
async function read(path: string, options: FileOptions): Promise<string> {
  const { repository, path: there, sha256 } = FILES[path]!;
  const [owner, name, commit, branch] = repository;
  const escaped = there.split('/').map(encodeURIComponent).join('/');
  const urls = [commit, branch].map(
    ref => `https://raw.githubusercontent.com/${owner}/${name}/${ref}/${escaped}`,
  );
  return decodeUtf8(await loadFile({ path, urls, sha256 }, options), { file: path });
}
function oneOf<T extends string>(op: string, value: T, allowed: readonly T[], name = 'split'): void {
  if (!allowed.includes(value))
    throw new ValueError(op, `${name} must be ${allowed.map(show).join(', ')}`, show(value), '');
}
const linesOf = (text: string): string[] => text.split(/\r?\n/).filter(line => line.trim() !== '');

// ---- plain texts -------------------------------------------------------------------------------------------------------

/** Any text file: a path, an address of a File, or bytes. Errors: FileError where it cannot be read or is no UTF-8. */
export async function readText(source: Source, options: Utf8Options = {}): Promise<string> {
  const bytes = await readBytes('readText', source);
  return decodeUtf8(bytes, { file: typeof source === 'string' ? source : 'the text', ...options });
}
/** The first part of a text and the rest, cut at a share of its length: 0.9 gives [90 %, 10 %]. */
export function splitText(text: string, share = 0.9): [train: string, validation: string] {
  if (!(share >= 0 && share <= 1))
    throw new ValueError('splitText', 'share must be in [0, 1]', show(share), '');
  const cut = Math.floor(share * text.length);
  return [text.slice(0, cut), text.slice(cut)];
}
/** Tiny Shakespeare (Karpathy 2015): 1 115 394 characters of plays, 65 different ones. */
export const tinyShakespeare = (options: FileOptions = {}): Promise<string> =>
  read('tinyshakespeare/input.txt', options);
/** 32 033 given names in small letters (makemore, from the U.S. Social Security Administration). */
export const givenNames = async (options: FileOptions = {}): Promise<string[]> =>
  linesOf(await read('names/names.txt', options));

// ---- poems -------------------------------------------------------------------------------------------------------------

export interface Poem {
  readonly title: string;
  readonly author: string;
  /** Sentences with their punctuation, as the collection cuts them. */
  readonly lines: readonly string[];
}
/** tang: 4003 Tang poems (traditional characters); tang300, songci300: the famous 300; song: 2000 Song ci (simplified). */
export type PoemCollection = 'tang' | 'tang300' | 'song' | 'songci300';
const COLLECTIONS: Readonly<Record<PoemCollection, readonly string[]>> = {
  tang: ['poet.tang.0', 'poet.tang.1000', 'poet.tang.2000', 'poet.tang.3000'],
  tang300: ['tang300'],
  song: ['ci.song.0', 'ci.song.1000'],
  songci300: ['songci300'],
};
/** Chinese poems of the collection chinese-poetry. Errors: FileError for a file of another form. */
export async function chinesePoems(
  options: FileOptions & { readonly collection?: PoemCollection } = {},
): Promise<Poem[]> {
  const { collection = 'tang300' } = options;
  oneOf('chinesePoems', collection, Object.keys(COLLECTIONS) as PoemCollection[], 'collection');
  const parts = COLLECTIONS[collection].map(async name => {
    const path = `chinese-poetry/${name}.json`;
    return parsePoems(await read(path, options), path);
  });
  return (await Promise.all(parts)).flat();
}
/** Poems from JSON: a list of {author, title or rhythmic, paragraphs}. */
export function parsePoems(json: string, file = 'the text'): Poem[] {
  const list = parsed(json, file);
  const bad = (rule: string, got: unknown): FileError =>
    new FileError('parsePoems', `${file}: ${rule}`, show(got), '');
  if (!Array.isArray(list)) throw bad('poems must be a list', list);
  return list.map((poem: unknown, i) => {
    const { author = '', title, rhythmic, paragraphs } = (poem ?? {}) as Record<string, unknown>;
    const name = title ?? rhythmic ?? '';
    const lines = Array.isArray(paragraphs) && paragraphs.every(p => typeof p === 'string');
    if (!lines || typeof author !== 'string' || typeof name !== 'string')
      throw bad(`poem ${i} must have author, title and paragraphs`, poem);
    return { title: name, author, lines: paragraphs as string[] };
  });
}

// ---- opinions ----------------------------------------------------------------------------------------------------------

/**
 * SST-2, whole sentences: 6920 / 872 / 1821 of film reviews, 1 positive, 0 negative (Socher et al. 2013, without the
 * neutral ones). Cut into tokens by spaces.
 */
export async function sst2(options: SplitFile = {}): Promise<LabelledText[]> {
  const { split = 'train' } = options;
  oneOf('sst2', split, ['train', 'validation', 'test']);
  const path = `sst2/${split === 'validation' ? 'dev' : split}.tsv`;
  return parseTsv(await read(path, options), path);
}
/** Lines `text<TAB>label` with labels 0, 1, … Errors: FileError with the line. */
export function parseTsv(text: string, file = 'the text'): LabelledText[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line === '') return [];
    const cut = line.lastIndexOf('\t');
    const label = line.slice(cut + 1);
    if (cut < 0 || !/^\d+$/.test(label))
      throw new FileError(
        'parseTsv',
        `${file}: a line is text, tab, label`,
        `${show(line)} at line ${i + 1}`,
        '',
      );
    return [{ text: line.slice(0, cut), label: Number(label) }];
  });
}

const TREES: Readonly<Record<string, string>> = {
  train: 'e2f3f41b0b1e6d4dddc0effe3bfc2d27ed8928079aa9a03d652311614fc5feb7',
  dev: '0e9336aed6e4730e19f58d00a77b3f0297efdb755f7b5e598c98a05e3f97ea40',
  test: '6e54806dee95cf80cd918e7dfb3f6770f6df24bf826f289a4d1f709e1c8f6761',
};
/** The Stanford Sentiment Treebank: 8544 / 1101 / 2210 trees, a label 0 … 4 at every phrase; see `treePhrases`. */
export async function sstTrees(options: SplitFile = {}): Promise<SentimentTree[]> {
  const { split = 'train' } = options;
  oneOf('sstTrees', split, ['train', 'validation', 'test']);
  const name = split === 'validation' ? 'dev' : split;
  const path = `sst-trees/${name}.txt`;
  // As it lies in the archive of its authors, or unpacked beside it.
  const bytes = (await readDataFile(path, options)) ?? (await fromTreebank(name, options));
  return parseTrees(decodeUtf8(bytes, { file: path }), path);
}
async function fromTreebank(name: string, options: FileOptions): Promise<Uint8Array> {
  const path = 'sst-trees/trainDevTestTrees_PTB.zip';
  const urls = [`https://nlp.stanford.edu/sentiment/${path.slice('sst-trees/'.length)}`];
  const bytes = await new Zip(await loadFile({ path, urls }, options), 'sstTrees', path).read(
    `trees/${name}.txt`,
  );
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as BufferSource));
  const got = Array.from(digest, b => b.toString(16).padStart(2, '0')).join('');
  if (got !== TREES[name])
    throw new FileError(
      'sstTrees',
      `${path}: trees/${name}.txt must have its checksum`,
      got,
      'load it again',
    );
  return bytes;
}

/** Movie-review polarity (Pang and Lee 2005): 5331 positive (1) and 5331 negative (0) snippets, no split; see `folds`. */
export async function movieReviews(options: FileOptions = {}): Promise<LabelledText[]> {
  const part = async (kind: 'pos' | 'neg', label: number): Promise<LabelledText[]> =>
    linesOf(await read(`rt-polarity/rt-polarity.${kind}`, options)).map(text => ({
      text: text.trim(),
      label,
    }));
  return [...(await part('pos', 1)), ...(await part('neg', 0))];
}
/** k parts of n samples for cross-validation: fold i has every k-th of a seeded order as test, the others as train. */
export function folds(
  n: number,
  k = 10,
  options: { readonly seed?: number } = {},
): { readonly train: number[]; readonly test: number[] }[] {
  if (!Number.isInteger(k) || k < 2 || k > n)
    throw new ValueError('folds', `k must be an integer from 2 to ${n}`, show(k), '');
  const order = Array.from(shuffled(n, new Generator(options.seed ?? 0)));
  return Array.from({ length: k }, (_, i) => ({
    train: order.filter((_, place) => place % k !== i),
    test: order.filter((_, place) => place % k === i),
  }));
}

const REVIEW_SETS = {
  hotel: 'chnsenticorp/ChnSentiCorp_htl_all.csv',
  waimai: 'waimai_10k/waimai_10k.csv',
} as const;
/**
 * Chinese opinions with a seeded split 80/10/10: reviews in the order of the file (without empty ones), the different texts
 * of it shuffled with a fixed seed, so that copies of a text are all in one part.
 */
async function reviews(
  set: keyof typeof REVIEW_SETS,
  options: SplitFile<Split3 | 'all'>,
): Promise<LabelledText[]> {
  const { split = 'train' } = options;
  oneOf(`${set}Reviews`, split, ['train', 'validation', 'test', 'all']);
  const path = REVIEW_SETS[set];
  const all = parseReviews(await read(path, options), path);
  return split === 'all' ? all : splitReviews(all)[split];
}
/** Hotel reviews (ChnSentiCorp, Tan Songbo): 7765 in Chinese, 1 positive (68.5 %), 0 negative. Split 80/10/10. */
export const hotelReviews = (options: SplitFile<Split3 | 'all'> = {}): Promise<LabelledText[]> =>
  reviews('hotel', options);
/** Reviews of delivered food (waimai_10k): 11 987 in Chinese, 1 positive (33.4 %), 0 negative. Split 80/10/10. */
export const waimaiReviews = (options: SplitFile<Split3 | 'all'> = {}): Promise<LabelledText[]> =>
  reviews('waimai', options);
/** Reviews from CSV with the columns label and review; empty ones are left out. */
export function parseReviews(csv: string, file = 'the text'): LabelledText[] {
  const table = parseCsv(csv, { file, types: { label: 'integer', review: 'text' } });
  const [labels, texts] = [
    table.column('label') as Float64Array,
    table.column('review') as readonly string[],
  ];
  return texts.flatMap((text, i) => (text.trim() === '' ? [] : [{ text: text.trim(), label: labels[i]! }]));
}
const SPLIT_SEED = 20260101;
/** 80 %, 10 %, 10 % of the different texts, always the same ones. */
export function splitReviews(all: readonly LabelledText[]): Record<Split3, LabelledText[]> {
  const number = new Map<string, number>();
  for (const { text } of all) if (!number.has(text)) number.set(text, number.size);
  const n = number.size;
  const place = new Int32Array(n);
  shuffled(n, new Generator(SPLIT_SEED)).forEach((text, at) => {
    place[text] = at;
  });
  const [a, b] = [Math.floor(0.8 * n), Math.floor(0.9 * n)];
  const part = (from: number, to: number): LabelledText[] =>
    all.filter(r => place[number.get(r.text)!]! >= from && place[number.get(r.text)!]! < to);
  return { train: part(0, a), validation: part(a, b), test: part(b, n) };
}

export interface ImdbOptions extends FileOptions {
  /** Default 'train'. */
  readonly split?: 'train' | 'test';
  /** Another archive of the same layout below the data folder. Default 'imdb/aclImdb_v1.tar.gz', all 50 000 reviews. */
  readonly archive?: string;
}
export interface ImdbReview extends LabelledText {
  /** 1 … 4 or 7 … 10 stars. */
  readonly rating: number;
  readonly id: number;
}
const IMDB = 'imdb/aclImdb_v1.tar.gz';
/** IMDB (Maas et al. 2011): 25 000 + 25 000 film reviews, 1 positive, 0 negative; line breaks are <br /> as in the files. */
export async function imdb(options: ImdbOptions = {}): Promise<ImdbReview[]> {
  const { split = 'train', archive = IMDB } = options;
  oneOf('imdb', split, ['train', 'test']);
  const source = {
    path: archive,
    urls: archive === IMDB ? ['https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz'] : [],
    ...(archive === IMDB ? { md5: '7c2ac02c03563afcf9b574c7e56c153a' } : {}),
  };
  const bytes = await gunzip(await loadFile(source, options), archive);
  const found: ImdbReview[] = [];
  for (const { name, bytes: body } of readTar(bytes, archive)) {
    const m = /aclImdb\/(train|test)\/(pos|neg)\/(\d+)_(\d+)\.txt$/.exec(name);
    if (m === null || m[1] !== split) continue;
    const text = decodeUtf8(body, { file: name });
    found.push({ text, label: m[2] === 'pos' ? 1 : 0, id: Number(m[3]), rating: Number(m[4]) });
  }
  return found.sort((a, b) => b.label - a.label || a.id - b.id);
}
