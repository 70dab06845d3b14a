// safetensors: files laid out by hand from the specification, what the official reader refuses, and the way back.

import { describe, expect, it } from 'vitest';
import { arange, randn, type Tensor, tensor, zeros } from '../../src/index.ts';
import { parseSafetensors, safetensorsBytes } from '../../src/io/index.ts';
import { numbers } from '../support.ts';

/** A file from a header (text or object) and data, written as the specification says. */
function file(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(data, 8 + text.length);
  return out;
}
const f32 = (...v: number[]): Uint8Array => new Uint8Array(new Float32Array(v).buffer);

describe('reading', () => {
  it('a file by hand, aligned or not', () => {
    for (const pad of ['', ' ', '   ', '       ']) {
      const header = `{"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"__metadata__":{"by":"hand"}}${pad}`;
      const { tensors, metadata } = parseSafetensors(file(header, f32(1.5, -2)));
      expect(tensors['w']!.shape).toEqual([2, 1]);
      expect(numbers(tensors['w']!)).toEqual([1.5, -2]);
      expect(metadata).toEqual({ by: 'hand' });
    }
  });
  it('no tensors, empty tensors, 0-d tensors', () => {
    expect(parseSafetensors(file('{}')).tensors).toEqual({});
    const { tensors } = parseSafetensors(
      file(
        {
          empty: { dtype: 'I64', shape: [0, 3], data_offsets: [0, 0] },
          scalar: { dtype: 'F32', shape: [], data_offsets: [0, 4] },
        },
        f32(7),
      ),
    );
    expect(tensors['empty']!.shape).toEqual([0, 3]);
    expect(tensors['scalar']!.itemSync()).toBe(7);
  });
  it('every byte but 0 is true', () => {
    const header = { m: { dtype: 'BOOL', shape: [3], data_offsets: [0, 3] } };
    const m = parseSafetensors(file(header, [0, 1, 2])).tensors['m']!;
    expect([m.tolistSync(), m.sum().itemSync()]).toEqual([[false, true, true], 2]);
  });
  const entry = { dtype: 'F32', shape: [1], data_offsets: [0, 4] };
  it.each<[string, Uint8Array, RegExp]>([
    ['too short', new Uint8Array(4), /a length of 8 bytes, got 4 bytes/],
    ['a header past the end', file('{}').subarray(0, 9), /the header must be in the file/],
    ['a giant header', new Uint8Array([0, 0, 0, 0, 0, 1, 0, 0, 123, 125]), /the header must be in the file/],
    ['no JSON', file('{"a":'), /the header must be JSON/],
    ['broken UTF-8', file('{}').fill(0xff, 8), /the header must be JSON in UTF-8/],
    ['an array', file('[]'), /the header must be an object/],
    ['space before the object', file(' {}'), /the header must be an object/],
    ['an unknown dtype', file({ a: { ...entry, dtype: 'F7' } }, f32(1)), /the dtype of a is one of .*'F7'/],
    ['a dtype named like a method', file({ a: { ...entry, dtype: 'toString' } }, f32(1)), /the dtype of a/],
    ['a negative size', file({ a: { ...entry, shape: [-1] } }, f32(1)), /the shape of a/],
    ['a huge size', file({ a: { ...entry, shape: [2 ** 60, 2 ** 60] } }, f32(1)), /the shape of a/],
    ['too few bytes', file({ a: { ...entry, shape: [2] } }, f32(1)), /a has 8 bytes by its shape, got 4/],
    ['offsets backwards', file({ a: { ...entry, data_offsets: [4, 0] } }, f32(1)), /data_offsets of a/],
    ['a gap', file({ a: { ...entry, data_offsets: [4, 8] } }, f32(1, 2)), /without gaps and overlaps/],
    ['an overlap', file({ a: entry, b: entry }, f32(1)), /without gaps and overlaps/],
    ['bytes left over', file({ a: entry }, f32(1, 2)), /tensors fill the file, got 4 of 8/],
    ['bytes missing', file({ a: entry }, [0, 0]), /tensors fill the file, got 4 of 2/],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }), /__metadata__ holds texts/],
    [
      'a name twice',
      file(`{"a":${JSON.stringify(entry)},"a":${JSON.stringify(entry)}}`, f32(1)),
      /a name stands for one tensor, got 'a' twice/,
    ],
    [
      'a name twice, far before its colon',
      file(`{"a":${JSON.stringify(entry)},"a"${' '.repeat(40)}:${JSON.stringify(entry)}}`, f32(1)),
      /'a' twice/,
    ],
    [
      'a name twice in other letters',
      file(`{"a":${JSON.stringify(entry)},"\\u0061":${JSON.stringify(entry)}}`, f32(1)),
      /'a' twice/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes)).toThrow(message);
    expect(() => parseSafetensors(bytes)).toThrow(/^safetensors: the file: /);
  });
});

describe('writing', () => {
  const all: Record<string, Tensor> = {
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
    名: tensor(3),
  };
  it('comes back, every dtype, aligned, by any order of names', () => {
    const bytes = safetensorsBytes(all, { epoch: '3' });
    const { tensors, metadata } = parseSafetensors(bytes);
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(all).sort());
    for (const [name, t] of Object.entries(all)) {
      expect(tensors[name]!.dtype).toBe(t.dtype);
      expect(tensors[name]!.shape).toEqual(t.shape);
      expect(tensors[name]!.tolistSync()).toEqual(t.tolistSync());
    }
    expect(metadata).toEqual({ epoch: '3' });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { data_offsets: number[] }
    >;
    expect(header['d']!.data_offsets[0]! % 8).toBe(0);
    expect(header['a.weight']!.data_offsets[0]! % 4).toBe(0);
  });
  it('writes views by their values', () => {
    const t = arange(6).reshape([2, 3]).t();
    expect(parseSafetensors(safetensorsBytes({ t })).tensors['t']!.tolistSync()).toEqual(t.tolistSync());
  });
});
