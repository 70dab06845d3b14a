// Event files, read back by a decoder written from the published schema: TFRecord framing with masked CRC-32C, and
// protobuf messages Event, Summary, HistogramProto.

import { describe, expect, it } from 'vitest';
import { histogramEvent, scalarEvent, versionEvent } from '../../src/train/tensorboard.ts';

/** CRC-32C bit by bit, from its polynomial x³² + x²⁸ + x²⁷ + … (0x1edc6f41, reflected). */
function crc(bytes: Uint8Array): number {
  let c = ~0;
  for (const b of bytes) {
    c ^= b;
    for (let k = 0; k < 8; k++) c = (c >>> 1) ^ (c & 1 ? 0x82f63b78 : 0);
  }
  return ~c >>> 0;
}
const mask = (c: number): number => (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;

function records(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const out: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(mask(crc(file.subarray(at, at + 8))));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(mask(crc(data)));
    out.push(data);
    at += 16 + length;
  }
  return out;
}
type Fields = Record<number, (number | Uint8Array)[]>;
function fields(bytes: Uint8Array): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let [v, k] = [0, 1];
    for (;;) {
      const b = bytes[at++]!;
      v += (b & 127) * k;
      k *= 128;
      if (b < 128) return v;
    }
  };
  const out: Fields = {};
  while (at < bytes.length) {
    const tag = varint();
    const values = (out[tag >> 3] ??= []);
    if ((tag & 7) === 0) values.push(varint());
    else if ((tag & 7) === 1) {
      values.push(view.getFloat64(at, true));
      at += 8;
    } else if ((tag & 7) === 5) {
      values.push(view.getFloat32(at, true));
      at += 4;
    } else {
      const n = varint();
      values.push(bytes.subarray(at, at + n));
      at += n;
    }
  }
  return out;
}
const inner = (v: number | Uint8Array | undefined): Fields => fields(v as Uint8Array);
const text = (v: number | Uint8Array | undefined): string => new TextDecoder().decode(v as Uint8Array);
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(parts.flatMap(p => [...p]));

describe('TensorBoard events', () => {
  it('the check of "123456789" is the published one', () => {
    expect(crc(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });
  it('a file of a version and two scalars reads back', () => {
    const file = join(
      versionEvent(1000.5),
      scalarEvent(1001, 300, 'train/loss', 0.25),
      scalarEvent(1002, 2 ** 33, 'val/准确率', -1e-7),
    );
    const [version, first, second] = records(file).map(fields);
    expect(version![1]).toEqual([1000.5]);
    expect(text(version![3]![0])).toBe('brain.Event:2');
    const value = (e: Fields): Fields => inner(inner(e[5]![0])[1]![0]);
    expect(first![2]).toEqual([300]);
    expect(text(value(first!)[1]![0])).toBe('train/loss');
    expect(value(first!)[2]).toEqual([0.25]);
    expect(second![2]).toEqual([2 ** 33]);
    expect(text(value(second!)[1]![0])).toBe('val/准确率');
    expect(value(second!)[2]).toEqual([Math.fround(-1e-7)]);
  });
  it('a histogram counts every finite value', () => {
    const values = [0, 0.1, 0.2, 5, Number.NaN, -1];
    const [event] = records(histogramEvent(1, 7, 'fc.weight', values)).map(fields);
    const h = inner(inner(inner(event![5]![0])[1]![0])[5]![0]);
    const doubles = (v: number | Uint8Array | undefined): number[] => {
      const b = v as Uint8Array;
      const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
      return Array.from({ length: b.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
    };
    expect([h[1], h[2], h[3]]).toEqual([[-1], [5], [5]]);
    expect(h[4]![0]).toBeCloseTo(4.3, 10);
    expect(h[5]![0]).toBeCloseTo(26.05, 10);
    const [limits, counts] = [doubles(h[6]![0]), doubles(h[7]![0])];
    expect(limits.length).toBe(counts.length);
    expect(counts.reduce((a, b) => a + b)).toBe(5);
    for (const [i, limit] of limits.entries()) if (i > 0) expect(limit).toBeGreaterThan(limits[i - 1]!);
    expect(limits.at(-1)).toBeCloseTo(5, 10);
  });
});
