// Word vectors: their files, damaged ones too, neighbours, analogies, tables for layers, the plane.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Generator, tensor } from '../../src/index.ts';
import { Embedding } from '../../src/nn/index.ts';
import {
  cosine,
  encodeUtf8,
  parseWordVectors,
  pca,
  readWordVectors,
  Vocab,
  WordVectors,
} from '../../src/text/index.ts';
import { survive } from '../fuzz/damage.ts';
import { numbers } from '../support.ts';

const WORDS = { king: [2, 1, 0], queen: [2, -1, 0], man: [0, 1, 0.5], woman: [0, -1, 0.5], 苹果: [-1, 0, 3] };
const text = Object.entries(WORDS)
  .map(([w, v]) => `${w} ${v.join(' ')}`)
  .join('\n');
const small = parseWordVectors(encodeUtf8(text));

/** Bytes of fields: numbers by their type, texts in UTF-8. */
function pack(
  ...fields: readonly (readonly ['i32' | 'i64' | 'f32' | 'f64' | 'u8', number] | string)[]
): Uint8Array {
  const bytes: number[] = [];
  for (const f of fields) {
    if (typeof f === 'string') {
      bytes.push(...encodeUtf8(f));
      continue;
    }
    const view = new DataView(new ArrayBuffer(8));
    const [kind, v] = f;
    if (kind === 'i32') view.setInt32(0, v, true);
    else if (kind === 'i64') view.setBigInt64(0, BigInt(v), true);
    else if (kind === 'f32') view.setFloat32(0, v, true);
    else if (kind === 'f64') view.setFloat64(0, v, true);
    else view.setUint8(0, v);
    bytes.push(...new Uint8Array(view.buffer, 0, { i32: 4, i64: 8, f32: 4, f64: 8, u8: 1 }[kind]));
  }
  return Uint8Array.from(bytes);
}
const floats = (v: readonly number[]) => v.map(x => ['f32', x] as const);
const word2vecBinary = pack(
  '5 3\n',
  ...Object.entries(WORDS).flatMap(([w, v]) => [`${w} `, ...floats(v), '\n'] as const),
);
/** A fastText model of two words and a label, dim 2, 4 buckets, pieces of 2 … 3 characters. */
function fastText(changes: { version?: number; quant?: number; maxn?: number } = {}): Uint8Array {
  const { version = 12, quant = 0, maxn = 3 } = changes;
  const matrix = Array.from({ length: 6 * 2 }, (_, i) => i / 2);
  return pack(
    ['i32', 793712314],
    ['i32', version],
    ...[2, 5, 5, 1, 5, 1, 1, 2, 4, 2, maxn, 100].map(v => ['i32', v] as const),
    ['f64', 1e-4],
    ...[3, 2, 1].map(v => ['i32', v] as const),
    ['i64', 10],
    ['i64', -1],
    ...['</s>\0', '猫\0'].flatMap(w => [w, ['i64', 5] as const, ['u8', 0] as const]),
    '__label__x\0',
    ['i64', 1],
    ['u8', 1],
    ['u8', quant],
    ['i64', 6],
    ['i64', 2],
    ...floats(matrix),
  );
}

describe('files of word vectors', () => {
  it.each([
    ['GloVe', encodeUtf8(text)],
    ['GloVe with Windows line ends', encodeUtf8(`${text.replaceAll('\n', '\r\n')}\r\n`)],
    ['word2vec as text', encodeUtf8(`5 3\n${text}\n`)],
    ['word2vec as text with spaces before line ends', encodeUtf8(`5 3\n${text.replaceAll('\n', ' \n')} \n`)],
    ['word2vec in binary', word2vecBinary],
  ])('%s', (_, bytes) => {
    const v = parseWordVectors(bytes);
    expect(v.words).toEqual(Object.keys(WORDS));
    for (const [w, numbers] of Object.entries(WORDS)) expect([...v.vector(w)]).toEqual(numbers);
    expect(parseWordVectors(bytes, { limit: 2 }).words).toEqual(['king', 'queen']);
  });
  it('of a word that comes twice the first counts; a word may have spaces', () => {
    const v = parseWordVectors(encodeUtf8('a 1 2\nb c 3 4\na 5 6'), { format: 'glove' });
    expect(v.words).toEqual(['a', 'b c']);
    expect([...v.vector('a')]).toEqual([1, 2]);
  });
  it('fastText: a word is the mean of itself and its pieces, and unknown words have pieces, too', () => {
    const v = parseWordVectors(fastText());
    expect(v.words).toEqual(['</s>', '猫']);
    // </s> has no pieces: row 0.
    expect([...v.vector('</s>')]).toEqual([0, 0.5]);
    // FNV-1a by hand of <猫, <猫>, 猫>: buckets 2 … 5 follow the two words.
    const fnv = (s: string): number => {
      let h = 2166136261n;
      for (const b of encodeUtf8(s)) {
        const signed = b < 128 ? BigInt(b) : (BigInt(b) | 0xffffff00n) & 0xffffffffn;
        h = ((h ^ signed) * 16777619n) & 0xffffffffn;
      }
      return Number(h % 4n);
    };
    const rows = [1, ...['<猫', '<猫>', '猫>'].map(p => 2 + fnv(p))];
    const mean = [0, 1].map(j => rows.reduce((s, r) => s + (2 * r + j) / 2, 0) / rows.length);
    expect([...v.vector('猫')]).toEqual(mean.map(Math.fround));
    expect(v.has('狗')).toBe(false);
    expect(v.vector('狗')).toHaveLength(2);
    expect(() => parseWordVectors(fastText({ maxn: 0 })).vector('狗')).toThrow('the word must be one of 2');
  });
  it.each([
    ['1 2 3', 'a line is a word and 2 numbers', encodeUtf8('1 2 3\nking x 1')],
    ['nothing', 'there must be words, got none', new Uint8Array()],
    [
      'a cut text',
      'it has 5 words, got 4: it was cut off',
      encodeUtf8(`5 3\n${text.slice(0, text.lastIndexOf('\n'))}\n`),
    ],
    ['a cut binary', 'it has 5 words, got 4: it was cut off', word2vecBinary.subarray(0, -3)],
    ['a header too large', '12 bytes must hold all vectors', encodeUtf8('9999999 3\nab')],
    ['another version', 'versions are 11 and 12, got 9', fastText({ version: 9 })],
    ['a quantized model', 'the model must not be quantized, got a quantized one', fastText({ quant: 1 })],
    ['a torn model', 'the matrix must be in the file, got 6 × 2', fastText().subarray(0, -1)],
  ])('refuses %s', (_, message, bytes) => {
    expect(() => parseWordVectors(bytes)).toThrow(message);
  });
  it('survives 12 000 damaged files of each format', { timeout: 120_000 }, async () => {
    const ascii = [...encodeUtf8('0123456789 \n.-e')];
    const read = (bytes: Uint8Array): void => {
      const v = parseWordVectors(bytes);
      expect(v.data.length).toBe(v.words.length * v.dim);
      expect(v.data.every(Number.isFinite)).toBe(true);
      v.nearest(v.words[0]!, { count: 2 });
    };
    expect(await survive([encodeUtf8(text), encodeUtf8(`5 3\n${text}`)], ascii, read)).toBeGreaterThan(1000);
    expect(await survive([word2vecBinary], [...ascii, 0, 0xff, 0x7f, 0x80], read)).toBeGreaterThan(1000);
    expect(await survive([fastText()], [0, 1, 2, 0x7f, 0x80, 0xff], read)).toBeGreaterThan(1000);
  });
});

describe('WordVectors', () => {
  it('nearest leaves out what was asked for, and orders by cosine', () => {
    const near = small.nearest('king', { count: 2 });
    expect(near.map(n => n.word)).toEqual(['queen', 'man']);
    expect(near[0]!.similarity).toBeCloseTo(3 / 5, 6);
    expect(small.similarity('king', 'queen')).toBeCloseTo(3 / 5, 6);
    expect(small.nearest([2, 1, 0], { count: 1 })[0]!.word).toBe('king');
    expect(small.nearest('king', { count: 9, exclude: ['man'] }).map(n => n.word)).not.toContain('man');
    expect(small.nearest('queen', { first: 1 }).map(n => n.word)).toEqual(['king']);
  });
  it('king − man + woman is queen, query words excluded', () => {
    expect(small.analogy('man', 'king', 'woman', { count: 1 })[0]!.word).toBe('queen');
    expect(small.analogy('man', 'king', 'woman', { count: 9 }).map(n => n.word)).toEqual(['queen', '苹果']);
    expect(() => small.analogy('man', 'King', 'woman')).toThrow(
      "WordVectors: the word must be one of 5, got 'King'. try 'king'",
    );
  });
  it('one-hot vectors of different words are orthogonal, whatever the words; embeddings are not', () => {
    const n = small.words.length;
    const oneHot = (w: string): number[] =>
      Array.from({ length: n }, (_, i) => Number(i === small.vocab.id(w)));
    for (const a of small.words)
      for (const b of small.words) expect(cosine(oneHot(a), oneHot(b))).toBe(a === b ? 1 : 0);
    expect(small.similarity('king', 'queen')).toBeGreaterThan(small.similarity('king', '苹果'));
  });
  it('makes the table of a vocabulary for Embedding', () => {
    const vocab = new Vocab(['<pad>', 'queen', 'zebra']);
    const { table, found } = small.tableFor(vocab, { zeros: ['<pad>'], generator: new Generator(1) });
    expect(found).toBe(1);
    const layer = Embedding.fromPretrained(table, { paddingIdx: 0 });
    const rows = numbers(layer(tensor([0, 1], { dtype: 'int64' })));
    expect(rows).toEqual([0, 0, 0, 2, -1, 0]);
    expect(
      numbers(table)
        .slice(6)
        .every(v => v !== 0 && Math.abs(v) < 6),
    ).toBe(true);
  });
  it.each([
    [() => new WordVectors(['a'], new Float32Array(3), 2), 'WordVectors: 1 words of 2 numbers need 2, got 3'],
    [() => small.nearest([1, 2]), 'nearest: vectors have 3 numbers, got 2'],
    [() => cosine([1], [1, 2]), 'cosine: vectors must have the same length, got 1 and 2'],
    [() => parseWordVectors(new Uint8Array(), { limit: 0 }), 'limit must be >= 1, got 0'],
  ])('%# refuses what does not fit', (make, message) => {
    expect(make).toThrow(message);
  });
});

describe('pca', () => {
  it('finds the two widest directions', () => {
    // Points a·(3, 4, 0)/5 + b·(0, 0, 1) with a spread wider than b.
    const places = [
      [-4, 1],
      [-2, -1],
      [2, -1],
      [4, 1],
    ];
    const rows = places.map(([a, b]) => [0.6 * a! + 7, 0.8 * a! - 2, b!]);
    const got = numbers(pca(tensor(rows), 2));
    // Signs: the widest element of each component is positive; of equal ones the first decides.
    const want = places.flatMap(([a, b]) => [-a!, b!]);
    for (const [i, w] of want.entries()) expect(got[i]).toBeCloseTo(w, 4);
    expect(() => pca(tensor([[1, 2]]), 3)).toThrow('pca: k must be an integer from 1 to 2, got 3');
  });
});

const real = resolve(import.meta.dirname, '../../../shared/data/glove/glove.6B.50d.top9163.txt');
describe.skipIf(!existsSync(real))('GloVe (needs ../shared/data)', () => {
  it('knows queens, capitals and plurals', async () => {
    const v = await readWordVectors(real);
    expect([v.words.length, v.dim]).toEqual([9163, 50]);
    expect(v.analogy('man', 'king', 'woman')[0]!.word).toBe('queen');
    expect(v.analogy('france', 'paris', 'germany')[0]!.word).toBe('berlin');
    expect(v.nearest('dog', { count: 3 }).map(n => n.word)).toContain('cat');
    // The first line of the file, read by itself.
    const first = readFileSync(real, 'utf8').split('\n', 1)[0]!.split(' ');
    expect([...v.vector(first[0]!)]).toEqual(first.slice(1).map(x => Math.fround(Number(x))));
  });
});
