// Tokenizers: by characters, words, bytes and pieces of words; vocabularies; broken, empty and unknown text.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BpeTokenizer,
  CharTokenizer,
  decodeUtf8,
  encodeUtf8,
  fromHuggingFace,
  LlamaTokenizer,
  splitBert,
  splitWords,
  type Tokenizer,
  Vocab,
  validLength,
  WordPieceTokenizer,
  WordTokenizer,
} from '../../src/text/index.ts';
import { survive } from '../fuzz/damage.ts';

const real = resolve(import.meta.dirname, '../../../shared/data');
const POEM = '床前明月光，疑是地上霜。举头望明月，低头思故乡。';

describe('UTF-8', () => {
  it('decodes what TextDecoder decodes, and tells where bytes are broken', () => {
    expect(decodeUtf8(encodeUtf8('狗咬人 🐶 é'))).toBe('狗咬人 🐶 é');
    expect(decodeUtf8(new Uint8Array())).toBe('');
    expect(() => decodeUtf8(Uint8Array.of(0x61, 0xe7, 0x8b), { file: 'a.txt' })).toThrow(
      "decodeUtf8: a.txt must be UTF-8, got 0xe7 at byte 1. pass {invalid: 'replace'} to read it all the same",
    );
    expect(decodeUtf8(Uint8Array.of(0x61, 0xff, 0x62), { invalid: 'replace' })).toBe('a\ufffdb');
  });
  it('validLength is where the decoder of the web gives up, for any bytes', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const good = (b: Uint8Array): boolean => {
      try {
        strict.decode(b);
        return true;
      } catch {
        return false;
      }
    };
    // Bytes from the corners of the table, so that long characters come up.
    const corner = fc.constantFrom(
      0x41,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(corner, fc.nat(255)), { maxLength: 12 }), list => {
        const b = Uint8Array.from(list);
        const n = validLength(b);
        expect(good(b.subarray(0, n))).toBe(true);
        expect(n === b.length).toBe(good(b));
        // One character more is not valid any more.
        for (let k = n + 1; k <= Math.min(n + 4, b.length); k++) expect(good(b.subarray(0, k))).toBe(false);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });
  it('half a surrogate pair becomes U+FFFD', () => {
    expect([...encodeUtf8('\ud83d')]).toEqual([0xef, 0xbf, 0xbd]);
    const bpe = BpeTokenizer.train(['abc'], { vocabSize: 256 });
    expect(bpe.decode(bpe.encode('a\ud83d'))).toBe('a\ufffd');
  });
});

describe('Vocab', () => {
  const lists = [['b', 'a', 'b'], ['c', 'b', 'a'], ['d']];
  it('orders by count, then by code point, after the specials', () => {
    const v = Vocab.build(lists, { specials: ['<pad>', '<unk>'], unk: '<unk>' });
    expect(v.tokens).toEqual(['<pad>', '<unk>', 'b', 'a', 'c', 'd']);
    expect(v.id('zebra')).toBe(1);
    expect(Vocab.build([['\u{1F436}', '\ufffd', '\ue000']]).tokens).toEqual([
      '\ue000',
      '\ufffd',
      '\u{1F436}',
    ]);
  });
  it('minCount and maxSize leave out the rare', () => {
    expect(Vocab.build(lists, { minCount: 2 }).tokens).toEqual(['b', 'a']);
    expect(Vocab.build(lists, { maxSize: 3, specials: ['<pad>'] }).tokens).toEqual(['<pad>', 'b', 'a']);
  });
  it('a special that comes in the texts keeps its place', () => {
    expect(Vocab.build([['a', '<pad>', '<pad>']], { specials: ['<pad>'] }).tokens).toEqual(['<pad>', 'a']);
  });
  it('is saved and loaded', () => {
    const v = Vocab.build(lists, { specials: ['<unk>'], unk: '<unk>' });
    const back = Vocab.fromJSON(JSON.stringify(v));
    expect(back.tokens).toEqual(v.tokens);
    expect(back.id('?')).toBe(0);
  });
  it.each([
    [() => new Vocab(['a', 'b', 'a']), "Vocab: each token has one number, got 'a' twice"],
    [
      () => new Vocab(['a'], { unk: 'x' }),
      "Vocab: unk must be one of the tokens, got 'x'. add it to the specials",
    ],
    [
      () => new Vocab(['a']).id('x'),
      "Vocab.id: the token must be one of 1, got 'x'. give the vocabulary an unk token for what it does not know",
    ],
    [() => new Vocab(['a']).token(1), 'Vocab.token: numbers are 0 … 0, got 1'],
    [() => Vocab.fromJSON('{'), 'parse: the vocabulary must be JSON'],
    [() => Vocab.fromJSON('{"tokens":[1]}', 'v.json'), 'Vocab.fromJSON: v.json must have tokens and unk'],
    [() => Vocab.build([], { minCount: 0 }), 'Vocab.build: minCount must be >= 1, got 0'],
  ])('%# refuses what is no vocabulary', (make, message) => {
    expect(make).toThrow(message);
  });
});

describe('CharTokenizer', () => {
  it('numbers characters by code point, and gives any text of them back', () => {
    const t = CharTokenizer.train(`${POEM}\n🐶`);
    expect(t.decode(t.encode('明月🐶\n'))).toBe('明月🐶\n');
    expect(t.vocab.tokens[0]).toBe('\n');
    expect(t.encode('')).toEqual([]);
    expect(t.decode([])).toBe('');
    expect(t.vocabSize).toBe(new Set(`${POEM}\n🐶`).size);
  });
  it('names a character that it does not know, or takes unk for it', () => {
    const t = CharTokenizer.train('狗咬人');
    expect(() => t.encode('人咬猫')).toThrow(
      "CharTokenizer.encode: characters must be among the 3 of the vocabulary, got '猫' (U+732B) at character 2. train on a text that has it, or give the vocabulary an unk token",
    );
    const u = CharTokenizer.train('狗咬人', { specials: ['<unk>'], unk: '<unk>' });
    expect(u.encode('猫')).toEqual([0]);
  });
});

describe('WordTokenizer', () => {
  it('cuts words of any script; Chinese character by character', () => {
    expect(splitWords("I don't like 3.5 apples — Привет, мир!")).toEqual([
      'i',
      "don't",
      'like',
      '3.5',
      'apples',
      '—',
      'привет',
      ',',
      'мир',
      '!',
    ]);
    expect(splitWords('房间OK，very good。')).toEqual(['房', '间', 'ok', '，', 'very', 'good', '。']);
    expect(splitWords('ABC', { lower: false })).toEqual(['ABC']);
    expect(splitWords(' \n')).toEqual([]);
    // Combining marks stay with their letter.
    expect(splitWords('e\u0301te\u0301')).toEqual(['e\u0301te\u0301']);
  });
  it('takes <unk> for unknown words and writes words with spaces, Chinese without', () => {
    const t = WordTokenizer.train(['the dog bites', '狗咬人。']);
    expect(t.vocab.tokens.slice(0, 2)).toEqual(['<pad>', '<unk>']);
    expect(t.decode(t.encode('the cat bites'))).toBe('the <unk> bites');
    expect(t.decode(t.encode('人咬狗。'))).toBe('人咬狗。');
    expect(t.encode('')).toEqual([]);
  });
});

describe('BpeTokenizer', () => {
  it('merges the pair that comes most often first, equal ones by number', () => {
    // ab comes 4 times, then ab·c and c·ab 3 times each: c has the lower number; then cab·cab twice.
    const t = BpeTokenizer.train(['abcabcabcab'], { vocabSize: 259 });
    expect(t.toJSON().merges).toEqual([
      [97, 98],
      [99, 256],
      [257, 257],
    ]);
    expect(t.encode('abcab')).toEqual([256, 257]);
  });
  it('gives every text back, whatever it learned on', () => {
    const t = BpeTokenizer.train([POEM, 'the cat sat on the mat'], { vocabSize: 300 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
        expect(t.decode(t.encode(text))).toBe(text);
      }),
      { numRuns: 500, seed: 2 },
    );
    expect(t.encode('')).toEqual([]);
  });
  it('is saved and loaded with its special tokens, which count only when asked for', () => {
    const t = BpeTokenizer.train([POEM], { vocabSize: 270, specials: ['<end>', '<|x|>'] });
    const back = BpeTokenizer.fromJSON(JSON.stringify(t));
    expect(back.vocabSize).toBe(t.vocabSize);
    expect(back.encode('明月<end>', { special: true })).toEqual([...t.encode('明月'), t.vocabSize - 2]);
    expect(back.encode('<end>')).toHaveLength(5);
    expect(back.decode([back.specialTokens['<|x|>']!])).toBe('<|x|>');
  });
  it('of equal pairs the leftmost is merged first', () => {
    const t = BpeTokenizer.train(['aaaa'], { vocabSize: 257, minCount: 1 });
    expect(t.encode('aaa')).toEqual([256, 97]);
  });
  it('takes a page without spaces in n log n', () => {
    const t = BpeTokenizer.train(['aaaa'], { vocabSize: 258, minCount: 1 });
    expect(t.encode('a'.repeat(400_000))).toHaveLength(100_000);
  });
  it('bytes that are no character become U+FFFD', () => {
    const t = BpeTokenizer.train(['x'], { vocabSize: 256 });
    expect(t.decode([0xe7, 0x8b])).toBe('\ufffd');
    expect(t.decode([0xef, 0xbb, 0xbf, 0x61])).toBe('\ufeffa');
  });
  it.each([
    [() => BpeTokenizer.train([''], { vocabSize: 255 }), 'vocabSize must be an integer >= 256, got 255'],
    [
      () => BpeTokenizer.train(['x'], { vocabSize: 256 }).decode([256]),
      'BpeTokenizer: numbers are 0 … 255, got 256',
    ],
    [() => BpeTokenizer.fromJSON('{"merges":[[300,1]],"specials":[]}'), 'must have merges and specials'],
    [() => BpeTokenizer.fromGpt2('[]', ''), 'encoder.json must be an object of tokens and numbers'],
    [() => BpeTokenizer.fromGpt2('{"a":1.5}', ''), "numbers in encoder.json are 0 … 0, got 'a': 1.5"],
    [
      () => BpeTokenizer.fromGpt2('{"a":0}', ''),
      "encoder.json must have every token of the 256 bytes, got 'Ā'",
    ],
    [
      () => BpeTokenizer.fromGpt2('{"a":0}', 'a b c'),
      "lines of vocab.bpe are two tokens, got 'a b c' as merge 1",
    ],
  ])('%# refuses what it cannot use', (make, message) => {
    expect(make).toThrow(message);
  });
});

const pieces = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  'un',
  '##aff',
  '##able',
  'a',
  '##b',
  'run',
  '##ning',
  '狗',
  '人',
  '!',
  'e',
  '##te',
];
describe('WordPieceTokenizer', () => {
  const t = new WordPieceTokenizer(pieces);
  it('takes the longest pieces from the left', () => {
    expect(t.tokenize('unaffable running!')).toEqual(['un', '##aff', '##able', 'run', '##ning', '!']);
    expect(t.decode(t.encode('unaffable running!'))).toBe('unaffable running !');
    expect(t.encode('', { special: true })).toEqual([2, 3]);
  });
  it('a word that cannot be put together is unknown as a whole', () => {
    expect(t.tokenize('runx 猫狗')).toEqual(['[UNK]', '[UNK]', '狗']);
    expect(t.tokenize('a'.repeat(101))).toEqual(['[UNK]']);
  });
  it('drops accents and control characters', () => {
    expect(splitBert('\u0000É\u200bté\ufffd 人咬狗')).toEqual(['ete', '人', '咬', '狗']);
    expect(splitBert('É', { lower: false })).toEqual(['É']);
  });
  it('reads vocab.txt', () => {
    expect(WordPieceTokenizer.fromVocab(`${pieces.join('\r\n')}\r\n`).encode('狗人')).toEqual([11, 12]);
    expect(() => WordPieceTokenizer.fromVocab('a\nb')).toThrow(
      "Vocab: unk must be one of the tokens, got '[UNK]'",
    );
  });
});

// ---- beside the kept library -------------------------------------------------------------------------------------------

const bert = {
  version: '1.0',
  added_tokens: [],
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: null,
  decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(pieces.map((p, i) => [p, i])),
  },
};
describe('fromHuggingFace', () => {
  it('our WordPiece gives the same numbers, for any text', async () => {
    const [ours, theirs] = [new WordPieceTokenizer(pieces), await fromHuggingFace(JSON.stringify(bert))];
    expect(theirs.vocabSize).toBe(pieces.length);
    const part = fc.constantFrom(
      'un',
      'aff',
      'able',
      'run',
      'ning',
      'a',
      'b',
      '狗',
      '人',
      '猫',
      '!',
      '。',
      ' ',
      '\t',
      'É',
      'e\u0301te',
      '$',
      '-',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), list => {
        const text = list.join('');
        expect(ours.encode(text)).toEqual(theirs.encode(text));
      }),
      { numRuns: 1000, seed: 3 },
    );
  });
  it('says what is missing where the package is not there, and what is wrong with a file', async () => {
    const load = () => Promise.reject(new Error('Cannot find package'));
    await expect(fromHuggingFace('{}', { load })).rejects.toThrow(
      'fromHuggingFace: the package @huggingface/tokenizers must be installed, got Cannot find package. run npm install @huggingface/tokenizers',
    );
    await expect(fromHuggingFace('nonsense')).rejects.toThrow('parse: tokenizer.json must be JSON');
    await expect(fromHuggingFace('[]')).rejects.toThrow('fromHuggingFace: tokenizer.json must be an object');
    await expect(fromHuggingFace('{"model":{"type":"Nope"}}')).rejects.toThrow(
      'fromHuggingFace: tokenizer.json must be one that @huggingface/tokenizers reads',
    );
  });
  it('refuses numbers that are no tokens', async () => {
    const t = await fromHuggingFace(JSON.stringify(bert));
    expect(() => t.decode([99])).toThrow('Tokenizer.decode: numbers are 0 … 15, got 99');
    expect(t.decode([4, 5, 6])).toBe('unaffable');
  });
});

describe.skipIf(!existsSync(real))('GPT-2 (needs ../shared/data)', () => {
  // The body of a skipped suite runs, too.
  if (!existsSync(real)) return;
  const files = ['encoder.json', 'vocab.bpe'].map(f => readFileSync(join(real, 'gpt2-bpe', f), 'utf8'));
  const gpt2 = BpeTokenizer.fromGpt2(files[0]!, files[1]!);
  it('gives the numbers that are known', () => {
    expect(gpt2.vocabSize).toBe(50257);
    // tiktoken's own tests.
    expect(gpt2.encode('hello world')).toEqual([31373, 995]);
    expect(gpt2.encode('hello <|endoftext|>', { special: true })).toEqual([31373, 220, 50256]);
    expect(gpt2.decode([31373, 220, 50256])).toBe('hello <|endoftext|>');
    // Radford et al.'s example as Hugging Face prints it, and digits that tiktoken's test of merges has.
    expect(gpt2.encode('Hello, my dog is cute')).toEqual([15496, 11, 616, 3290, 318, 13779]);
    expect(gpt2.encode('0')).toEqual([15]);
    expect(gpt2.encode('00')).toEqual([405]);
    expect(gpt2.encode('0000')).toEqual([2388]);
  });
  it('cuts Tiny Shakespeare into the number of tokens that nanoGPT reports', () => {
    const text = readFileSync(join(real, 'tinyshakespeare/input.txt'), 'utf8');
    const cut = Math.floor(0.9 * text.length);
    const parts = [text.slice(0, cut), text.slice(cut)].map(t => gpt2.encode(t));
    expect(parts.map(p => p.length)).toEqual([301_966, 36_059]);
    expect(parts.map(p => gpt2.decode(p)).join('')).toBe(text);
  });
  it('agrees with the kept library on English, Chinese and anything', async () => {
    const vocab = JSON.parse(files[0]!) as Record<string, number>;
    const description = {
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel' },
      model: {
        type: 'BPE',
        vocab,
        merges: files[1]!.split('\n').filter(l => l !== '' && !l.startsWith('#')),
      },
    };
    const theirs: Tokenizer = await fromHuggingFace(JSON.stringify(description));
    const reviews = readFileSync(join(real, 'waimai_10k/waimai_10k.csv'), 'utf8').split('\n').slice(0, 300);
    const films = readFileSync(join(real, 'sst2/dev.tsv'), 'utf8').split('\n').slice(0, 300);
    for (const line of [...reviews, ...films]) expect(gpt2.encode(line)).toEqual(theirs.encode(line));
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), text => {
        expect(gpt2.encode(text)).toEqual(theirs.encode(text));
      }),
      { numRuns: 1000, seed: 4 },
    );
  });
});

describe.skipIf(!existsSync(real))('LlamaTokenizer (needs ../shared/data)', () => {
  // The body of a skipped suite runs, too.
  if (!existsSync(real)) return;
  const bytes = new Uint8Array(readFileSync(join(real, 'weights/tok512.bin')));
  const t = LlamaTokenizer.fromBytes(bytes);
  const golden = JSON.parse(readFileSync(join(real, 'weights/golden.json'), 'utf8'))[
    'stories260K.bin + tok512.bin'
  ] as {
    readonly greedy_ids: number[];
    readonly greedy_text: string;
  };
  it('reads the golden tokens as the golden text, and cuts the text into them again', () => {
    expect(t.vocabSize).toBe(512);
    expect(t.decode(golden.greedy_ids)).toBe(golden.greedy_text);
    expect(t.encode(golden.greedy_text)).toEqual(golden.greedy_ids);
    expect(t.encode('', { begin: true })).toEqual([1]);
  });
  it('writes characters without a token as bytes, and gives any text back', () => {
    expect(t.encode('狗').slice(-3)).toEqual([...encodeUtf8('狗')].map(b => 3 + b));
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), text => {
        expect(t.decode(t.encode(text, { begin: true }))).toBe(text);
      }),
      { numRuns: 500, seed: 5 },
    );
  });
  it('refuses torn files and unknown numbers', async () => {
    expect(() => LlamaTokenizer.fromBytes(bytes.subarray(0, -1))).toThrow(
      'LlamaTokenizer: tokenizer.bin: tokens are score, length and bytes',
    );
    expect(() => t.decode([512])).toThrow('LlamaTokenizer: numbers are 0 … 511, got 512');
    const read = (b: Uint8Array): string => {
      const made = LlamaTokenizer.fromBytes(b);
      return made.decode([made.vocabSize - 1]);
    };
    expect(await survive([bytes], [0, 1, 0x7f, 0x80, 0xff], read)).toBeGreaterThan(100);
  }, 120_000);
});
