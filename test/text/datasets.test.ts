// Data sets of texts: their formats, damaged ones too, and the numbers of the real files.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTar } from '../../src/data/index.ts';
import { zipChunks } from '../../src/io/zip.ts';
import {
  chinesePoems,
  encodeUtf8,
  folds,
  givenNames,
  hotelReviews,
  imdb,
  movieReviews,
  parsePoems,
  parseReviews,
  parseTrees,
  parseTsv,
  readText,
  splitReviews,
  splitText,
  sst2,
  sstTrees,
  tinyShakespeare,
  treePhrases,
  waimaiReviews,
} from '../../src/text/index.ts';
import { survive } from '../fuzz/damage.ts';

/** A tar archive of files, ustar. */
function tar(files: readonly (readonly [name: string, content: string, kind?: string])[]): Uint8Array {
  const blocks: number[] = [];
  for (const [name, content, kind = '0'] of files) {
    const body = encodeUtf8(content);
    const head = new Uint8Array(512);
    head.set(encodeUtf8(name));
    head.set(encodeUtf8('0000644\0'), 100);
    head.set(encodeUtf8(`${body.length.toString(8).padStart(11, '0')}\0`), 124);
    head.set(encodeUtf8('        '), 148);
    head.set(encodeUtf8(kind), 156);
    head.set(encodeUtf8('ustar\0'), 257);
    const sum = head.reduce((a, b) => a + b, 0);
    head.set(encodeUtf8(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
    blocks.push(...head, ...body, ...new Array((512 - (body.length % 512)) % 512).fill(0));
  }
  return Uint8Array.from([...blocks, ...new Array(1024).fill(0)]);
}

describe('readTar', () => {
  const text = (b: Uint8Array): string => new TextDecoder().decode(b);
  it('gives the files, with long names, without folders', () => {
    const long = 'a/'.repeat(80);
    const archive = tar([
      ['dir/', '', '5'],
      ['dir/one.txt', 'eins'],
      ['././@LongLink', `${long}two.txt\0`, 'L'],
      ['short', 'zwei'],
      ['pax', `30 mtime=1.5\n20 path=${long}三.txt\n`, 'x'],
      ['three', '三'.repeat(300)],
      ['four', ''],
    ]);
    const files = [...readTar(archive)].map(f => [f.name, text(f.bytes)]);
    expect(files).toEqual([
      ['dir/one.txt', 'eins'],
      [`${long}two.txt`, 'zwei'],
      [`${long}三.txt`, '三'.repeat(300)],
      ['four', ''],
    ]);
  });
  it('refuses what is damaged', () => {
    const archive = tar([['one', 'eins']]);
    expect(() => [...readTar(archive.subarray(0, 514))]).toThrow(
      'every file must be in the archive, got 4 bytes at byte 0 of 514',
    );
    archive[0] = 0x58;
    expect(() => [...readTar(archive, 'x.tar')]).toThrow(
      'readTar: x.tar: every header must have its checksum, got another one at byte 0',
    );
  });
  it('survives 12 000 damaged archives', { timeout: 120_000 }, async () => {
    const samples = [
      tar([
        ['a', 'x'.repeat(600)],
        ['././@LongLink', 'long\0', 'L'],
        ['b', ''],
      ]),
    ];
    const special = [0, 0x30, 0x37, 0x39, 0x80, 0xff, 0x4c, 0x78];
    expect(await survive(samples, special, bytes => [...readTar(bytes)].length)).toBeGreaterThan(1000);
  });
});

describe('trees', () => {
  const line = "(3 (2 It) (4 (2 's) (4 (3 -LRB-) (4 great))))";
  it('are read with their labels and words', () => {
    const [tree] = parseTrees(`${line}\n\n`);
    expect([tree!.label, tree!.words, tree!.children.length]).toEqual([3, ['It', "'s", '-LRB-', 'great'], 2]);
    expect(tree!.children[1]!.children[1]!.label).toBe(4);
  });
  it('give phrases with classes, each once', () => {
    const trees = parseTrees(`${line}\n(1 (4 great) (0 Great))`);
    expect(treePhrases(trees)).toEqual([
      { text: "it 's ( great", label: 1 },
      { text: "'s ( great", label: 1 },
      { text: '( great', label: 1 },
      { text: '(', label: 1 },
      { text: 'great', label: 1 },
      { text: 'great great', label: 0 },
    ]);
    expect(treePhrases(trees, { classes: 5, phrases: false }).map(p => p.label)).toEqual([3, 1]);
  });
  it.each([
    ['(3 a', "the text line 1: ')' must stand at character 5, got 'the end'"],
    ['(7 a)', "labels are 0 … 4, got '7'"],
    ['(3 a) b', "one tree must be on it, got 'b'"],
    ['(3 )', "a word must stand at character 4, got ')'"],
    ['x', "'(' must stand at character 1, got 'x'"],
    ['(3 '.repeat(3000), 'brackets are at most 1000 deep'],
  ])('%# refuse what is none', (text, message) => {
    expect(() => parseTrees(text)).toThrow(message);
  });
  it('survive 12 000 damaged lines', { timeout: 120_000 }, async () => {
    const read = (b: Uint8Array): number => treePhrases(parseTrees(new TextDecoder().decode(b))).length;
    expect(await survive([encodeUtf8(line)], [...encodeUtf8('() 0459\n')], read)).toBeGreaterThan(1000);
  });
});

describe('formats', () => {
  it('lines of text, tab, label', () => {
    expect(parseTsv('good film\t1\r\na\tb\t0\n')).toEqual([
      { text: 'good film', label: 1 },
      { text: 'a\tb', label: 0 },
    ]);
    expect(() => parseTsv('good\t1\nbad')).toThrow(
      "parseTsv: the text: a line is text, tab, label, got 'bad' at line 2",
    );
  });
  it('reviews as CSV; empty ones are left out', () => {
    expect(parseReviews('label,review\n1,"很好, ""OK"""\n0,\n0,太差\n')).toEqual([
      { text: '很好, "OK"', label: 1 },
      { text: '太差', label: 0 },
    ]);
    expect(() => parseReviews('label,review\nx,1\n')).toThrow('values must be integers');
    expect(() => parseReviews('text\nx\n')).toThrow();
  });
  it('poems as JSON', () => {
    const poem = { author: '李白', title: '静夜思', paragraphs: ['床前明月光，疑是地上霜。'] };
    expect(parsePoems(JSON.stringify([poem]))).toEqual([
      { author: '李白', title: '静夜思', lines: poem.paragraphs },
    ]);
    expect(() => parsePoems('[{"title":1}]', 'p.json')).toThrow(
      'parsePoems: p.json: poem 0 must have author, title and paragraphs',
    );
    expect(() => parsePoems('{}')).toThrow('poems must be a list');
  });
  it('any text file, with broken bytes only where that is wanted', async () => {
    expect(await readText(encodeUtf8('\ufeff榫'))).toBe('榫');
    await expect(readText(Uint8Array.of(0xff))).rejects.toThrow('the text must be UTF-8, got 0xff at byte 0');
    expect(await readText(Uint8Array.of(0xff), { invalid: 'replace' })).toBe('\ufffd');
    expect(splitText('abcdefghij')).toEqual(['abcdefghi', 'j']);
  });
  it('copies of a text are in one part of a split, and parts hold everything', () => {
    const all = Array.from({ length: 500 }, (_, i) => ({ text: `t${i % 200}`, label: i % 2 }));
    const parts = splitReviews(all);
    const sets = Object.values(parts).map(p => new Set(p.map(r => r.text)));
    expect(sets.map(s => s.size)).toEqual([160, 20, 20]);
    expect(new Set(sets.flatMap(s => [...s])).size).toBe(200);
    expect(parts.train.length + parts.validation.length + parts.test.length).toBe(500);
  });
  it('folds cover all samples once', () => {
    const ten = folds(105, 10, { seed: 4 });
    expect(ten.flatMap(f => f.test).sort((a, b) => a - b)).toEqual(Array.from({ length: 105 }, (_, i) => i));
    for (const f of ten) expect(new Set([...f.train, ...f.test]).size).toBe(105);
    expect(() => folds(5, 6)).toThrow('folds: k must be an integer from 2 to 5, got 6');
  });
  it('names what is not there', async () => {
    await expect(sst2({ root: '/nowhere', download: false })).rejects.toThrow(
      'sst2/train.tsv must be in the data folder /nowhere',
    );
    await expect(sst2({ split: 'dev' as never })).rejects.toThrow(
      "split must be 'train', 'validation', 'test', got 'dev'",
    );
    await expect(chinesePoems({ collection: 'yuan' as never })).rejects.toThrow("collection must be 'tang'");
  });
});

const root = resolve(import.meta.dirname, '../../../shared/data');
describe.skipIf(!existsSync(root))('the real files (needs ../shared/data)', () => {
  const here = { root, download: false };
  const splits = ['train', 'validation', 'test'] as const;
  const sizes = (list: readonly { readonly label: number }[]): number[] => [
    list.length,
    list.filter(s => s.label === 1).length,
  ];
  it('Tiny Shakespeare, names, poems', async () => {
    const play = await tinyShakespeare(here);
    expect([play.length, new Set(play).size]).toEqual([1_115_394, 65]);
    const names = await givenNames(here);
    expect([names.length, names[0], new Set(names.join('')).size]).toEqual([32_033, 'emma', 26]);
    const counts = await Promise.all(
      (['tang', 'tang300', 'song', 'songci300'] as const).map(
        async collection => (await chinesePoems({ ...here, collection })).length,
      ),
    );
    expect(counts).toEqual([4003, 366, 2000, 280]);
  });
  it('SST-2 and the trees: published sizes, and the same sentences', async () => {
    const parts = await Promise.all(splits.map(split => sst2({ ...here, split })));
    expect(parts.map(sizes)).toEqual([
      [6920, 3610],
      [872, 444],
      [1821, 909],
    ]);
    const trees = await Promise.all(splits.map(split => sstTrees({ ...here, split })));
    expect(trees.map(t => t.length)).toEqual([8544, 1101, 2210]);
    expect(sizes(treePhrases(trees[2]!, { phrases: false }))).toEqual([1821, 909]);
    expect(sizes(treePhrases(trees[1]!, { phrases: false }))).toEqual([872, 444]);
    const nodes = (t: { readonly children: readonly never[] }): number =>
      1 + t.children.reduce((n, c) => n + nodes(c), 0);
    expect(trees[0]!.reduce((n, t) => n + nodes(t as never), 0)).toBe(318_582);
  });
  it('the trees come out of the archive of their authors, checked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tenon-trees-'));
    try {
      const dev = readFileSync(join(root, 'sst-trees/dev.txt'));
      const pack = (text: Uint8Array): void => {
        mkdirSync(join(folder, 'sst-trees'), { recursive: true });
        const chunks = [...zipChunks('pack', [['trees/dev.txt', text]])];
        writeFileSync(join(folder, 'sst-trees/trainDevTestTrees_PTB.zip'), Buffer.concat(chunks));
      };
      pack(dev);
      const there = { root: folder, download: false, split: 'validation' } as const;
      expect(await sstTrees(there)).toHaveLength(1101);
      pack(dev.subarray(1));
      await expect(sstTrees(there)).rejects.toThrow('trees/dev.txt must have its checksum');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  it('film, hotel and food reviews; the split of the reviews never changes', async () => {
    expect(sizes(await movieReviews(here))).toEqual([10_662, 5331]);
    expect(sizes(await hotelReviews({ ...here, split: 'all' }))).toEqual([7765, 5322]);
    expect(sizes(await waimaiReviews({ ...here, split: 'all' }))).toEqual([11_987, 4000]);
    const hotel = await Promise.all(splits.map(split => hotelReviews({ ...here, split })));
    expect(hotel.map(sizes)).toEqual([
      [6212, 4261],
      [776, 541],
      [777, 520],
    ]);
    const digest = createHash('sha256')
      .update(hotel[2]!.map(r => r.text).join('\n'))
      .digest('hex');
    expect(digest.slice(0, 16)).toBe('bbf2174cbbd19d36');
  });
  it('IMDB from its archive', async () => {
    const archive = 'imdb-slice/aclImdb-slice.tar.gz';
    const [train, test] = [await imdb({ ...here, archive }), await imdb({ ...here, archive, split: 'test' })];
    expect([sizes(train), sizes(test)]).toEqual([
      [2084, 1042],
      [1000, 500],
    ]);
    expect(train.every(r => (r.label === 1 ? r.rating >= 7 : r.rating <= 4) && r.id % 12 === 0)).toBe(true);
  });
});
