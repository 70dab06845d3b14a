// NumPy's files: headers laid out by hand as NumPy writes them, what is refused, and the way back.

import { describe, expect, it } from 'vitest';
import { byteWidth } from '../../src/base/dtype.ts';
import { DTypeError, FileError } from '../../src/base/errors.ts';
import { arange, randn, type Tensor, tensor, zeros } from '../../src/index.ts';
import { npyBytes, npzBytes, parseNpy, parseNpz } from '../../src/io/index.ts';
import { zipChunks } from '../../src/io/zip.ts';
import { numbers } from '../support.ts';

const MAGIC = [0x93, ...Buffer.from('NUMPY')];
/** A file from the text of its header and data. */
function file(header: string, data: ArrayBufferView = new Uint8Array(0), version = 1): Uint8Array {
  const text = Buffer.from(`${header}\n`, version === 3 ? 'utf8' : 'latin1');
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUInt16LE(text.length);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(Buffer.concat([Buffer.from([...MAGIC, version, 0]), length, text, body]));
}
const header = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const six = Float32Array.of(0, 1, 2, 3, 4, 5);

describe('reading', () => {
  it.each([1, 2, 3])('version %i, with any padding', version => {
    for (const pad of ['', ' ', '   ', ' '.repeat(50)]) {
      const t = parseNpy(file(header('<f4', '(2, 3)') + pad, six, version));
      expect(t.tolistSync()).toEqual([
        [0, 1, 2],
        [3, 4, 5],
      ]);
    }
  });
  it('Fortran order, of any rank', () => {
    expect(parseNpy(file(header('<f4', '(2, 3)', 'True'), six)).tolistSync()).toEqual([
      [0, 2, 4],
      [1, 3, 5],
    ]);
    const t = parseNpy(file(header('<f4', '(1, 2, 3)', 'True'), six));
    expect([t.shape, numbers(t)]).toEqual([
      [1, 2, 3],
      [0, 2, 4, 1, 3, 5],
    ]);
    expect(parseNpy(file(header('<f4', '(6,)', 'True'), six)).tolistSync()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(parseNpy(file(header('<f4', '()', 'True'), six.subarray(0, 1))).itemSync()).toBe(0);
  });
  it('big-endian numbers, unsigned ones as int64', () => {
    const big = new DataView(new ArrayBuffer(8));
    big.setFloat64(0, -1.25);
    expect(parseNpy(file(header('>f8', '()'), big)).itemSync()).toBe(-1.25);
    const cases = [
      [Uint16Array.of(1, 65535), '<u2', [1n, 65535n]],
      [Uint32Array.of(1, 2 ** 32 - 1), '<u4', [1n, 2n ** 32n - 1n]],
      [BigUint64Array.of(1n, 2n ** 63n - 1n), '<u8', [1n, 2n ** 63n - 1n]],
    ] as const;
    for (const [data, descr, want] of cases) {
      const t = parseNpy(file(header(descr, '(2,)'), data));
      expect([t.dtype, [...(t.dataSync() as BigInt64Array)]]).toEqual(['int64', want]);
    }
  });
  it("Python 2's long sizes, other quotes, another order of the fields", () => {
    const odd = `{"shape": (2L, 3L), "fortran_order": False, "descr": "<f4"}`;
    expect(parseNpy(file(odd, six)).shape).toEqual([2, 3]);
  });
  it.each<[string, Uint8Array, string]>([
    ['no file', new Uint8Array(0), 'it begins with \\x93NUMPY, got bytes none'],
    ['a version of the future', file(header('<f4', '(6,)'), six, 4), 'the version is 1, 2 or 3, got 4'],
    ['a torn header', file(header('<f4', '(6,)')).subarray(0, 40), 'the header is in the file'],
    ['data too short', file(header('<f4', '(7,)'), six), 'the data of shape (7) is 28 bytes, got 24'],
    ['data too long', file(header('<f4', '(5,)'), six), 'is 20 bytes, got 24'],
    ['a size without end', file(header('<f4', '(99999999999999999999, 9)'), six), 'got 24'],
    ['Python objects', file(header('|O', '(1,)'), six), 'got Python objects, which are not read'],
    ['complex numbers', file(header('<c8', '(3,)'), six), "got '<c8'"],
    ['texts', file(header('<U3', '(2,)'), six), "got '<U3'"],
    [
      'a structure',
      file(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }`, six),
      'a structure',
    ],
    [
      'a field too few',
      file(`{'descr': '<f4', 'shape': (6,), }`, six),
      'the header has descr, fortran_order and',
    ],
    ['a field twice', file(`{'descr': '<f4', 'descr': '<f4', 'shape': (6,), }`, six), 'descr twice'],
    [
      'code in place of data',
      file(`{'descr': '<f4', 'fortran_order': exit(), 'shape': (6,)}`, six),
      'the header has',
    ],
    ['a negative size', file(header('<f4', '(-6,)'), six), 'the header has descr'],
    ['digits that never end', file(header('<f4', `(${'1'.repeat(5000)}`), six), 'the header has descr'],
    ['large unsigned numbers', file(header('<u8', '(1,)'), BigUint64Array.of(2n ** 63n)), 'below 2⁶³'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseNpy(bytes, 'x.npy')).toThrow(FileError);
    expect(() => parseNpy(bytes, 'x.npy')).toThrow(message);
    expect(() => parseNpy(bytes, 'x.npy')).toThrow('npy: x.npy: ');
  });
});

const all: Record<string, Tensor> = {
  'a/weight': randn([3, 4]),
  b: tensor([true, false, true]),
  c: arange(5, { dtype: 'int64' }),
  d: randn([7], { dtype: 'float64' }),
  e: tensor([1, -0.5, 65504], { dtype: 'float16' }),
  g: tensor([-128, 127], { dtype: 'int8' }),
  h: tensor([255], { dtype: 'uint8' }),
  i: tensor([-32768, 5], { dtype: 'int16' }),
  j: tensor([-(2 ** 31)], { dtype: 'int32' }),
  k: zeros([0, 2]),
  t: arange(6).reshape([2, 3]).t(),
  名: tensor(3),
};
describe('writing', () => {
  it('arrays of every dtype come back, aligned', async () => {
    const back = await parseNpz(npzBytes(all));
    expect(Object.keys(back)).toEqual(Object.keys(all));
    for (const [name, t] of Object.entries(all)) {
      for (const got of [back[name]!, parseNpy(npyBytes(t))]) {
        expect([got.dtype, got.shape]).toEqual([t.dtype, t.shape]);
        expect(got.tolistSync()).toEqual(t.tolistSync());
      }
      expect((npyBytes(t).length - t.numel * byteWidth(t.dtype)) % 64).toBe(0);
    }
  });
  it('the header is what NumPy writes', () => {
    const head = (t: Tensor): string =>
      Buffer.from(npyBytes(t)).toString('latin1', 10).split('\n')[0]!.trim();
    expect(head(zeros([2, 3]))).toBe("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
    expect(head(zeros([2]))).toBe("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }");
    expect(head(tensor(true))).toBe("{'descr': '|b1', 'fortran_order': False, 'shape': (), }");
  });
  it('bfloat16 is refused', () => {
    expect(() => npyBytes(tensor([1], { dtype: 'bfloat16' }))).toThrow(DTypeError);
    expect(() => npyBytes(tensor([1], { dtype: 'bfloat16' }))).toThrow(
      'NumPy must have the dtype, got bfloat16',
    );
  });
});

it('an archive holds arrays only', async () => {
  const bytes = new Uint8Array(Buffer.concat([...zipChunks('t', [['a.txt', new Uint8Array(3)]])]));
  await expect(parseNpz(bytes, 'x.npz')).rejects.toThrow("npz: x.npz holds .npy files, got 'a.txt'");
});
