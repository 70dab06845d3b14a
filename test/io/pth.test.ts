// PyTorch's files: pickles laid out by hand by the table of opcodes, hostile ones among them, and the way back.

import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileError } from '../../src/base/errors.ts';
import { arange, nn, randn, type Tensor, tensor, zeros } from '../../src/index.ts';
import { parsePth, pthBytes } from '../../src/io/index.ts';
import { unpickle } from '../../src/io/pickle.ts';
import { zipChunks } from '../../src/io/zip.ts';
import { numbers } from '../support.ts';

type Named = Record<string, Tensor>;
const ascii = (s: string): Uint8Array => Uint8Array.from(s, c => c.charCodeAt(0));
const f32 = (...v: number[]): Uint8Array => new Uint8Array(new Float32Array(v).buffer);
/** An archive as PyTorch lays it out; the pickle as text of bytes. */
function archive(pickle: string, memories: Record<string, Uint8Array> = {}): Uint8Array {
  const entries = [
    ['m/data.pkl', ascii(pickle)] as const,
    ...Object.entries(memories).map(([k, b]) => [`m/data/${k}`, b] as const),
  ];
  return new Uint8Array(Buffer.concat([...zipChunks('test', entries)]));
}
/** Opcodes by name, so that a pickle can be read. */
const global = (module: string, name: string): string => `c${module}\n${name}\n`;
const text = (s: string): string => `X${String.fromCharCode(s.length)}\0\0\0${s}`;
const int = (v: number): string => `K${String.fromCharCode(v)}`;
const tuple = (...items: string[]): string => `(${items.join('')}t`;
const memory = (type: string, key: string, numel: number): string =>
  `${tuple(text('storage'), global('torch', type), text(key), text('cpu'), int(numel))}Q`;
const tensorOf = (numel: number, offset: number, shape: number[], stride: number[], type = 'FloatStorage') =>
  global('torch._utils', '_rebuild_tensor_v2') +
  tuple(
    memory(type, '0', numel),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...stride.map(int)),
    '\x89',
    `${global('collections', 'OrderedDict')})R`,
  ) +
  'R';
const program = (body: string): string => `\x80\x02${body}.`;
const read = (body: string, memories: Record<string, Uint8Array> = {}) =>
  parsePth(archive(program(body), memories), 'x.pth');

describe('reading', () => {
  it('tensors at an offset, transposed, with steps, expanded, of no elements, of no dims', async () => {
    const six = { 0: f32(0, 1, 2, 3, 4, 5) };
    const at = async (offset: number, shape: number[], stride: number[]) =>
      ((await read(tensorOf(6, offset, shape, stride), six)) as Tensor).tolistSync();
    expect(await at(0, [2, 3], [3, 1])).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(await at(1, [2], [1])).toEqual([1, 2]);
    expect(await at(0, [3, 2], [1, 3])).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(await at(1, [2, 2], [3, 1])).toEqual([
      [1, 2],
      [4, 5],
    ]);
    expect(await at(5, [2, 3], [0, 0])).toEqual([
      [5, 5, 5],
      [5, 5, 5],
    ]);
    expect(await at(0, [2, 2, 2], [1, 0, 3])).toEqual([
      [
        [0, 3],
        [0, 3],
      ],
      [
        [1, 4],
        [1, 4],
      ],
    ]);
    expect(await at(6, [0, 9], [1, 1])).toEqual([]);
    expect(await at(4, [], [])).toBe(4);
    // A window that slides: elements stand in it twice.
    expect(await at(0, [3, 2], [1, 1])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });
  it('plain data of all kinds; dicts with numbers as objects, other dicts as Maps', async () => {
    const list = `](${int(1)}M\x2c\x01J\xff\xff\xff\xffG\x3f\xe0\0\0\0\0\0\0\x88\x89N${text('a')}U\x01be`;
    expect(await read(list)).toEqual([1, 300, -1, 0.5, true, false, null, 'a', 'b']);
    expect(await read(`}(${text('a')}${int(1)}${text('__proto__')}${int(2)}u`)).toEqual(
      Object.fromEntries([
        ['a', 1],
        ['__proto__', 2],
      ]),
    );
    expect(await read(`}${int(7)}${text('x')}s`)).toEqual({ 7: 'x' });
    const mixed = new Map<unknown, unknown>([
      [1, 'x'],
      ['a', 2],
    ]);
    expect(await read(`}(${int(1)}${text('x')}${text('a')}${int(2)}u`)).toEqual(mixed);
    expect(await read(`\x8a\x02\x00\x80`)).toBe(-32768);
    expect(await read(`\x8a\x0a${'\xff'.repeat(9)}\x00`)).toBe(2n ** 72n - 1n);
    expect(await read(`${global('torch', 'Size')}${tuple(`${tuple(int(2), int(3))}`)}R`)).toEqual([2, 3]);
    expect(await read(global('torch', 'float16'))).toBe('float16');
    expect(await read(`${global('torch', 'device')}${tuple(text('cuda'), int(0))}R`)).toBe('cuda:0');
    expect(await read(`${global('__builtin__', 'set')}${tuple(`](${int(1)}e`)}R`)).toEqual([1]);
    expect(await read(`${global('_codecs', 'encode')}${tuple(text('AB'), text('latin1'))}R`)).toEqual(
      new Uint8Array([65, 66]),
    );
  });
  it('what stands in two places is one tensor', async () => {
    const twice = (await read(`](${tensorOf(1, 0, [1], [1])}q\x05h\x05e`, { 0: f32(1) })) as Tensor[];
    expect(twice[0]).toBe(twice[1]);
  });
});

describe('hostile pickles', () => {
  const mark = join(tmpdir(), `tenon-pwned-${process.pid}`);
  it.each([
    ['os.system', `${global('os', 'system')}${tuple(text(`touch ${mark}`))}R`],
    ['posix.system', `${global('posix', 'system')}(${text(`touch ${mark}`)}tR`],
    ['builtins.eval', `${global('builtins', 'eval')}${tuple(text('1'))}R`],
    ['builtins.getattr', `${global('builtins', 'getattr')}${tuple(`${int(1)}${int(2)}`)}R`],
    ['torch.load', `${global('torch', 'load')}${tuple(text('x'))}R`],
    ['torch._utils.toString', `${global('torch._utils', 'toString')}`],
    ['__main__.Net', `${global('__main__', 'Net')})\x81`],
    ['torch.nn.modules.linear.Linear', `${global('torch.nn.modules.linear', 'Linear')})\x81}b`],
    ['torch.ComplexFloatStorage', memory('ComplexFloatStorage', '0', 1)],
    ['os.system', `\x8c\x02os\x8c\x06system\x93`],
  ])('%s is refused by its name', async (name, body) => {
    await expect(read(body)).rejects.toThrow(
      `pth: x.pth must hold tensors and plain data only, got the Python object '${name}'; nothing of the file was run`,
    );
    expect(existsSync(mark)).toBe(false);
    rmSync(mark, { force: true });
  });
  it.each([
    ['a list in itself', `]q\0h\0a`, 'a value that contains itself'],
    ['lists a thousand deep', `${']'.repeat(1000)}${'a'.repeat(999)}`, 'at most 500 levels deep'],
    ['a call of a dict', `})R`, 'a call of Map'],
    ['a call of a class', `${global('torch', 'FloatStorage')})R`, 'a call of torch.FloatStorage'],
    ['attributes of a list', `]}b`, 'attributes of []'],
    ['a tuple that grows', `)${int(1)}a`, 'for a list'],
    ['a dict with an odd number', `}(${int(1)}u`, 'for a dict'],
    ['values without a mark', `e`, 'no mark'],
    ['a value below the mark', `${int(1)}(0`, 'no value on the stack'],
    ['nothing', '', 'no value on the stack'],
    ['an unknown memo', 'h\x09', 'no value under 9'],
    ['an instruction to call (INST)', `(iposix\nsystem\n`, '0x69'],
    ['a text that is longer than the file', 'X\xff\xff\xff\x7f', 'a pickle is whole'],
    ['bytes that are longer than the file', `\x8e${'\xff'.repeat(8)}`, 'a pickle is whole'],
    ['a number of four gigabytes', '\x8b\xff\xff\xff\xff', 'at most 1024 bytes'],
    ['broken UTF-8', 'U\x01\xff', 'texts are UTF-8'],
    ['a class as a value', global('torch', 'FloatStorage'), 'the data is plain, got torch.FloatStorage'],
    ['a memory as a value', memory('FloatStorage', '0', 1), 'a memory without a tensor'],
    [
      'a memory of no type',
      `${tuple(text('storage'), int(1), text('0'), text('cpu'), int(1))}Q`,
      'a type, a key',
    ],
    ['an object that lies elsewhere', `${tuple(text('module'), int(1))}Q`, 'a memory has a type'],
  ])('%s', async (_, body, message) => {
    const error = (await read(body, { 0: f32(1) }).catch((e: unknown) => e)) as Error;
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toContain(message);
  });
  it('a list of lists of lists … is counted, not walked', async () => {
    let body = `]q\0`;
    for (let i = 0; i < 40; i++)
      body += `0](h${String.fromCharCode(i)}h${String.fromCharCode(i)}eq${String.fromCharCode(i + 1)}`;
    await expect(read(body)).rejects.toThrow('at most 50000000 values');
  });
  it.each([
    ['outside of its memory', tensorOf(2, 1, [2], [1]), 'element 2 of 2 in memory 0'],
    [
      'as long as the world',
      tensorOf(2, 0, [255, 255, 255, 255, 255, 255, 255], [0, 0, 0, 0, 0, 0, 0]),
      'an offset, a shape',
    ],
    ['with a stride too few', tensorOf(2, 0, [2], []), 'an offset, a shape and strides'],
    ['longer than its memory is', tensorOf(3, 0, [2], [1]), 'memory 0 has 12 bytes, got 8'],
  ])('a tensor %s', async (_, body, message) => {
    await expect(read(body, { 0: f32(1, 2) })).rejects.toThrow(message);
  });
  it('a view that is far larger than its memory', async () => {
    // Five dims of stride 1 over 255 elements would be 10¹² of them.
    const body = tensorOf(250, 0, [50, 50, 50, 50, 50], [1, 1, 1, 1, 1]);
    await expect(read(body, { 0: new Uint8Array(1000) })).rejects.toThrow('hardly larger than its memory');
  });
  it('other files', async () => {
    await expect(parsePth(new Uint8Array(0), 'x')).rejects.toThrow(
      'x must be a file of torch.save, got an empty file',
    );
    await expect(parsePth(new Uint8Array([1, 2]), 'x')).rejects.toThrow('got bytes 1 2');
    await expect(parsePth(archive('').subarray(0, 50), 'x')).rejects.toThrow('ends with its directory');
    const empty = new Uint8Array(Buffer.concat([...zipChunks('test', [])]));
    await expect(parsePth(empty, 'x')).rejects.toThrow('the archive has one data.pkl, got 0');
  });
});

it('opcodes of protocols 0 to 5 that no file of torch.save has are refused', () => {
  const rules = {
    global: () => ({ name: 'x' }),
    persistent: () => null,
    bad: (rule: string, got: string) => new FileError('p', rule, got, ''),
  };
  const known = [...Array(256).keys()].filter(op => {
    try {
      unpickle(new Uint8Array([op]), 0, rules);
      return true;
    } catch (e) {
      return !(e as Error).message.includes('known opcodes');
    }
  });
  // pickletools.genops names them; EXT, INST, OBJ, PERSID, NEWOBJ_EX and the texts of protocol 0 are left out.
  expect(known.map(op => op.toString(16)).join(' ')).toBe(
    '28 29 2e 30 31 32 42 43 47 4a 4b 4d 4e 51 52 54 55 58 5d 61 62 63 64 65 68 6a 6c 71 72 73 74 75 7d ' +
      '80 81 85 86 87 88 89 8a 8b 8c 8d 8e 8f 90 91 93 94 95 96',
  );
});

describe('writing', () => {
  const all: Named = {
    'a.weight': randn([3, 4]),
    b: tensor([true, false, true]),
    c: arange(5, { dtype: 'int64' }),
    d: randn([7], { dtype: 'float64' }),
    e: tensor([1, -0.5, 65504], { dtype: 'float16' }),
    f: tensor([1e30, 3], { dtype: 'bfloat16' }),
    g: tensor([-128, 127], { dtype: 'int8' }),
    h: tensor([255], { dtype: 'uint8' }),
    i: tensor([-32768, 5], { dtype: 'int16' }),
    j: tensor([-(2 ** 31)], { dtype: 'int32' }),
    k: zeros([0, 2]),
    t: arange(6).reshape([2, 3]).t(),
    名: tensor(3),
  };
  it('tensors of every dtype come back', async () => {
    const back = (await parsePth(pthBytes(all))) as Named;
    expect(Object.keys(back)).toEqual(Object.keys(all));
    for (const [name, t] of Object.entries(all)) {
      expect([back[name]!.dtype, back[name]!.shape]).toEqual([t.dtype, t.shape]);
      expect(back[name]!.tolistSync()).toEqual(t.tolistSync());
    }
  });
  it('plain data comes back', async () => {
    const w = randn([2]);
    const plain = {
      numbers: [0, 255, 256, 65536, -1, -(2 ** 31), 2 ** 31, 2 ** 53 - 1, 0.1, -0, Number.POSITIVE_INFINITY],
      big: [2n ** 70n, -(2n ** 70n), 2n ** 63n],
      texts: ['', '榫', 'x'.repeat(300)],
      flags: [true, false, null],
      raw: new Uint8Array([0, 127, 128, 255]),
      state: { 0: { step: 3 }, 1: { step: 4 } },
      map: new Map<unknown, unknown>([
        [1, 'a'],
        ['1', 'b'],
      ]),
    };
    const back = (await parsePth(pthBytes({ ...plain, w, tied: w }))) as typeof plain & Named;
    const { w: w2, tied, ...rest } = back;
    expect(rest).toEqual(plain);
    expect(tied).toBe(w2);
    expect(numbers(w2!)).toEqual(numbers(w));
    expect((await parsePth(pthBytes(Number.NaN))) as number).toBeNaN();
    const p = (await parsePth(pthBytes(new nn.Linear(2, 1).weight))) as Tensor;
    expect(p.requiresGrad && p.isLeaf).toBe(true);
  });
  it('refuses what is no plain data, by its place', () => {
    expect(() => pthBytes({ a: { f: () => 1 } })).toThrow('pth: a.f must be a tensor or plain data, got');
    expect(() => pthBytes({ a: new Map([[{}, 1]]) })).toThrow(
      'a must be a Map with texts or numbers as keys',
    );
    const loop: unknown[] = [];
    loop.push({ loop });
    expect(() => pthBytes(loop)).toThrow('0.loop must be a tree, got a value that contains itself');
  });
  it('is one file, byte for byte, each memory at a multiple of 64', () => {
    const bytes = pthBytes({ a: tensor([1, 2]), b: tensor([3]) });
    expect(pthBytes({ a: tensor([1, 2]), b: tensor([3]) })).toEqual(bytes);
    const at = Buffer.from(bytes).indexOf(Buffer.from(f32(1, 2)));
    expect(at % 64).toBe(0);
  });
});
