// TensorBoard event files: scalars and histograms over steps, as `tensorboard --logdir` reads them.
// In: names, steps, numbers. Out: bytes of TFRecords that hold protobuf Event messages.
// Formats: tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.h (public schema, field numbers
// below).

import { crc, joined } from '../base/bytes.ts';

/** CRC-32C (Castagnoli). */
const crc32c = crc(0x82f63b78);
/** Records store checksums rotated and shifted, so that a checksum of checksums does not collide. */
const masked = (bytes: Uint8Array): number => {
  const c = crc32c(bytes);
  return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;
};

/** length u64, checksum of it, data, checksum of it: all little-endian. */
export function record(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return out;
}

// ---- protobuf: tag = field number · 8 + wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes) ---------------

function varint(value: number): number[] {
  const out: number[] = [];
  let v = value;
  while (v >= 128) {
    out.push((v % 128) | 128);
    v = Math.floor(v / 128);
  }
  return [...out, v];
}
const fixed = (bytes: number, write: (v: DataView) => void): Uint8Array => {
  const out = new Uint8Array(bytes);
  write(new DataView(out.buffer));
  return out;
};
const join = (...parts: ArrayLike<number>[]): Uint8Array => joined(parts);
const int = (field: number, v: number): Uint8Array => join(varint(field * 8), varint(v));
const double = (field: number, v: number): Uint8Array =>
  join(
    varint(field * 8 + 1),
    fixed(8, d => d.setFloat64(0, v, true)),
  );
const float = (field: number, v: number): Uint8Array =>
  join(
    varint(field * 8 + 5),
    fixed(4, d => d.setFloat32(0, v, true)),
  );
const message = (field: number, body: ArrayLike<number>): Uint8Array =>
  join(varint(field * 8 + 2), varint(body.length), body);
const text = (field: number, v: string): Uint8Array => message(field, new TextEncoder().encode(v));
/** Packed doubles. */
const doubles = (field: number, values: readonly number[]): Uint8Array => {
  const data = fixed(8 * values.length, d => {
    for (const [i, v] of values.entries()) d.setFloat64(8 * i, v, true);
  });
  return message(field, data);
};

/** Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }. */
const event = (seconds: number, step: number, content: Uint8Array): Uint8Array =>
  record(join(double(1, seconds), step === 0 ? [] : int(2, step), content));
/** The record that every file begins with. */
export const versionEvent = (seconds: number): Uint8Array => event(seconds, 0, text(3, 'brain.Event:2'));
/** Summary { value = 1 } with Value { tag = 1, simple_value = 2 }. */
export const scalarEvent = (seconds: number, step: number, tag: string, value: number): Uint8Array =>
  event(seconds, step, message(5, message(1, join(text(1, tag), float(2, value)))));

/** Value { tag = 1, histo = 5 } with HistogramProto { min, max, num, sum, sum_squares, bucket_limit, bucket }. */
export function histogramEvent(
  seconds: number,
  step: number,
  tag: string,
  values: ArrayLike<number>,
): Uint8Array {
  const v = Array.from(values).filter(Number.isFinite);
  const [min, max] = v.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
  const buckets = 30;
  const width = (max - min) / buckets || 1;
  const counts = new Array<number>(buckets).fill(0);
  for (const x of v) counts[Math.min(buckets - 1, Math.floor((x - min) / width))]!++;
  const limits = counts.map((_, i) => min + width * (i + 1));
  const sum = v.reduce((s, x) => s + x, 0);
  const squares = v.reduce((s, x) => s + x * x, 0);
  const [least, most] = v.length === 0 ? [0, 0] : [min, max];
  const histogram = join(
    double(1, least),
    double(2, most),
    double(3, v.length),
    double(4, sum),
    double(5, squares),
    doubles(6, v.length === 0 ? [1] : limits),
    doubles(7, v.length === 0 ? [0] : counts),
  );
  return event(seconds, step, message(5, message(1, join(text(1, tag), message(5, histogram)))));
}
