// Padding, batches of similar length, windows with carried state; sampling and streamed text.

import { describe, expect, it } from 'vitest';
import { Generator, type Tensor, tensor } from '../../src/index.ts';
import {
  BpeTokenizer,
  bpttLoader,
  CharTokenizer,
  documentLoader,
  generate,
  LanguageWindows,
  padIds,
  sampleToken,
  streamText,
  type Tokenizer,
  textLoader,
  tokenProbs,
  WordTokenizer,
} from '../../src/text/index.ts';
import { numbers } from '../support.ts';

/** The rows of a matrix. */
function table(t: Tensor): number[][] {
  const [rows, columns] = t.shape as unknown as [number, number];
  const all = numbers(t);
  return Array.from({ length: rows }, (_, r) => all.slice(r * columns, (r + 1) * columns));
}

describe('padIds', () => {
  it('fills up at the end, or at the start', () => {
    const { ids, mask, lengths } = padIds([[5, 6], [7], []], { padId: 9 });
    expect(table(ids)).toEqual([
      [5, 6],
      [7, 9],
      [9, 9],
    ]);
    expect(table(mask)).toEqual([
      [1, 1],
      [1, 0],
      [0, 0],
    ]);
    expect(numbers(lengths)).toEqual([2, 1, 0]);
    expect(table(padIds([[1, 2, 3], [4]], { side: 'start', length: 2 }).ids)).toEqual([
      [2, 3],
      [0, 4],
    ]);
    expect(table(padIds([[1, 2, 3]], { length: 2 }).ids)).toEqual([[1, 2]]);
    expect(padIds([[1, 2, 3]], { multipleOf: 8 }).ids.shape).toEqual([1, 8]);
    expect(padIds([[]]).ids.shape).toEqual([1, 1]);
    expect(() => padIds([[1]], { length: 0 })).toThrow('padIds: length must be an integer >= 1, got 0');
  });
  it('a length that is no multiple is cut where it says, and padded beyond', () => {
    const { ids, lengths } = padIds([[1, 2, 3, 4, 5, 6]], { length: 5, multipleOf: 4 });
    expect(table(ids)).toEqual([[1, 2, 3, 4, 5, 0, 0, 0]]);
    expect(numbers(lengths)).toEqual([5]);
  });
});

describe('textLoader', () => {
  const samples = Array.from({ length: 50 }, (_, i) => ({
    ids: Array.from({ length: 1 + ((i * 7) % 20) }, () => i + 1),
    label: i % 2,
  }));
  it('gives every text once, with its label, in batches of similar length', () => {
    const seen = new Set<number>();
    let padding = 0;
    for (const [x, y] of textLoader(samples, { batchSize: 8, shuffle: true, generator: new Generator(1) })) {
      const [rows, labels] = [table(x), numbers(y)];
      for (const [r, row] of rows.entries()) {
        const id = row[0]!;
        expect(labels[r]).toBe((id - 1) % 2);
        expect(row.filter(v => v !== 0)).toHaveLength(samples[id - 1]!.ids.length);
        seen.add(id);
        padding += row.filter(v => v === 0).length;
      }
    }
    expect(seen.size).toBe(50);
    // All 50 in one batch would need 20·50 − Σ lengths = 1000 − 509 = 491 numbers of padding.
    expect(padding).toBeLessThan(491);
  });
});

describe('windows', () => {
  const ids = Array.from({ length: 23 }, (_, i) => i);
  it('x and y are one token apart', () => {
    const w = new LanguageWindows(ids, { length: 4 });
    expect(w.length).toBe(5);
    const [x, y] = w.get(4);
    expect(numbers(x)).toEqual([16, 17, 18, 19]);
    expect(numbers(y)).toEqual([17, 18, 19, 20]);
    expect(new LanguageWindows(ids, { length: 4, stride: 1 }).length).toBe(19);
    expect(() => new LanguageWindows([1, 2, 3], { length: 3 })).toThrow(
      'LanguageWindows: a window of 3 needs 4 tokens, got 3. make length smaller, or take a longer text',
    );
    expect(() => w.get(5)).toThrow('LanguageWindows: the index must be an integer from 0 to 4, got 5');
  });
  it('a state carried from batch to batch is the state of the whole stream', () => {
    // h ← ½ h + x, as the simplest recurrent net; rows are the streams 0 … 9 and 10 … 19.
    let h = [0, 0];
    const seen: number[][] = [[], []];
    for (const [x] of bpttLoader(ids.slice(0, 21), { batchSize: 2, length: 5 })) {
      expect(x.shape).toEqual([2, 5]);
      for (const [r, row] of table(x).entries())
        for (const v of row) {
          h[r] = 0.5 * h[r]! + v;
          seen[r]!.push(v);
        }
    }
    expect(seen).toEqual([ids.slice(0, 10), ids.slice(10, 20)]);
    const whole = (from: number): number => ids.slice(from, from + 10).reduce((s, v) => 0.5 * s + v, 0);
    expect(h).toEqual([whole(0), whole(10)]);
    h = [0, 0];
  });
});

describe('sampleToken', () => {
  const logits = [1, 3, 2, Number.NEGATIVE_INFINITY, 0];
  const frequencies = (options: object, previous: number[] = []): number[] => {
    const generator = new Generator(7);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) counts[sampleToken(logits, { ...options, generator }, previous)]!++;
    return counts.map(c => c / 4000);
  };
  const softmax = (v: readonly number[]): number[] => {
    const e = v.map(Math.exp);
    const sum = e.reduce((a, b) => a + b);
    return e.map(x => x / sum);
  };
  const near = (got: number[], want: number[]): void => {
    // Four standard deviations of a frequency over 4000 draws are at most .032.
    for (const [i, p] of want.entries()) expect(Math.abs(got[i]! - p)).toBeLessThan(0.032);
  };
  it('draws with the probabilities of the softmax, sharper or flatter by temperature', () => {
    near(frequencies({}), softmax(logits));
    near(frequencies({ temperature: 2 }), softmax(logits.map(v => v / 2)));
    expect(frequencies({})[3]).toBe(0);
  });
  it('temperature 0 takes the likeliest, of equal ones the first', () => {
    expect(sampleToken([0, 5, 5], { temperature: 0 })).toBe(1);
  });
  it('topK and topP keep the likeliest, with their probabilities scaled up', () => {
    expect(tokenProbs(logits, { topK: 2 }).ids).toEqual([1, 2]);
    near(frequencies({ topK: 2 }), [0, ...softmax([3, 2]), 0, 0]);
    // Probabilities .644, .237, .087, .032: the third reaches .9.
    expect(tokenProbs(logits, { topP: 0.9 }).ids).toEqual([1, 2, 0]);
    expect(tokenProbs(logits, { topP: 1e-9 }).ids).toEqual([1]);
    expect(tokenProbs(logits, { topP: 0.9 }).probs.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
  it('repetitionPenalty divides positive logits of used tokens and multiplies negative ones', () => {
    const p = tokenProbs([2, -1, 0.5], { repetitionPenalty: 2 }, [0, 1, 1]);
    const want = softmax([1, -2, 0.5]);
    expect(p.ids).toEqual([0, 2, 1]);
    for (const [i, id] of p.ids.entries()) expect(p.probs[i]).toBeCloseTo(want[id]!, 12);
  });
  it('suppressed tokens are never drawn, and the others share their probability', () => {
    const p = tokenProbs([2, -1, 0.5], { suppress: [0] });
    const want = softmax([-1, 0.5]);
    expect(p.ids).toEqual([2, 1]);
    for (const [i, x] of [want[1]!, want[0]!].entries()) expect(p.probs[i]).toBeCloseTo(x, 12);
    expect(sampleToken([9, 0], { temperature: 0, suppress: [0] })).toBe(1);
  });
  it('repeats with the seed', () => {
    const draw = (seed: number): number[] => {
      const generator = new Generator(seed);
      return Array.from({ length: 30 }, () => sampleToken(logits, { generator }));
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });
  it.each([
    [
      [1, Number.NaN],
      {},
      'sampleToken: logits must be numbers or -Infinity, got NaN for token 1. the model has gone wrong: look at its weights',
    ],
    [[Number.POSITIVE_INFINITY], {}, 'got Infinity for token 0'],
    [[Number.NEGATIVE_INFINITY], {}, 'sampleToken: at least one token must be allowed, got only -Infinity'],
    [[], {}, 'sampleToken: there must be logits, got no number'],
    [[1], { temperature: -1 }, 'temperature must be a number >= 0, got -1'],
    [[1], { topK: 0 }, 'topK must be an integer >= 1, got 0'],
    [[1], { topP: 0 }, 'topP must be in (0, 1], got 0'],
    [[1], { suppress: [0] }, 'at least one token must be allowed'],
    [[1], { suppress: [1] }, 'suppress must have tokens 0 … 0, got 1'],
    [[1], { repetitionPenalty: 0 }, 'repetitionPenalty must be a number > 0, got 0'],
  ] as const)('%# refuses %s %o', (values, options, message) => {
    expect(() => sampleToken(values, options)).toThrow(message);
  });
});

describe('generate and streamText', () => {
  const collect = async <T>(from: AsyncIterable<T>): Promise<T[]> => {
    const out: T[] = [];
    for await (const x of from) out.push(x);
    return out;
  };
  /** The next token is the last plus one, for sure. */
  const next = (context: readonly number[]) =>
    tensor(Array.from({ length: 6 }, (_, i) => (i === (context.at(-1)! + 1) % 6 ? 50 : 0)));
  it('gives tokens until the count, a stop or an abort', async () => {
    expect(await collect(generate(next, [0], { tokens: 4 }))).toEqual([1, 2, 3, 4]);
    expect(await collect(generate(next, [0], { tokens: 9, stop: 3 }))).toEqual([1, 2]);
    expect(await collect(generate(next, [0], { tokens: 0 }))).toEqual([]);
    const aborted = generate(next, [0], { tokens: 1, signal: AbortSignal.abort(new Error('enough')) });
    await expect(collect(aborted)).rejects.toThrow('enough');
    await expect(collect(generate(() => tensor([[1, 2]]), [0], { tokens: 1 }))).rejects.toThrow(
      'generate: logits are a vector, one number a token, got 2 dims',
    );
    await expect(collect(generate(() => tensor([Number.NaN, 1]), [0], { tokens: 1 }))).rejects.toThrow(
      'logits must be numbers',
    );
  });
  it('a character comes when it is whole', async () => {
    const bpe = BpeTokenizer.train(['x'], { vocabSize: 256 });
    const parts = await collect(streamText(bpe, bpe.encode('狗a🐶')));
    expect(parts).toEqual(['狗', 'a', '🐶']);
    expect((await collect(streamText(bpe, [0xe7, 0x8b]))).join('')).toBe('\ufffd');
    // The same through a tokenizer that only decodes.
    const plain: Tokenizer = { vocabSize: 256, encode: t => bpe.encode(t), decode: ids => bpe.decode(ids) };
    expect(await collect(streamText(plain, bpe.encode('狗a🐶')))).toEqual(['狗', 'a', '🐶']);
    expect((await collect(streamText(plain, [0xe7, 0x8b]))).join('')).toBe('\ufffd');
  });
  it('what comes is the text as a whole, with its spaces', async () => {
    const text = 'the dog bites the man , and the man bites the dog 狗咬人 again';
    const words = WordTokenizer.train([text]);
    expect((await collect(streamText(words, words.encode(text)))).join('')).toBe(
      words.decode(words.encode(text)),
    );
    const chars = CharTokenizer.train(text);
    expect((await collect(streamText(chars, chars.encode(text)))).join('')).toBe(text);
  });
});

describe('documentLoader', () => {
  it('gives inputs and targets one token apart, −100 where there is padding', () => {
    const batches = [
      ...documentLoader(
        [
          [9, 1, 2, 9],
          [9, 3, 9],
          [9, 4, 5, 6, 7, 9],
        ],
        { batchSize: 3, length: 4, padId: 8 },
      ),
    ];
    expect(batches).toHaveLength(1);
    const [x, y] = batches[0]!;
    expect(table(x)).toEqual([
      [9, 3, 8, 8],
      [9, 1, 2, 8],
      [9, 4, 5, 6],
    ]);
    expect(table(y)).toEqual([
      [3, 9, -100, -100],
      [1, 2, 9, -100],
      [4, 5, 6, 7],
    ]);
  });
});
