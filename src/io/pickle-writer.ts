// Pickles of plain data, protocol 2: what every Python 3 reads. In: a tree, and how its tensors are written. Out: bytes.

import { show, ValueError } from '../base/errors.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ByteWriter, isSize } from './bytes.ts';

/**
 * The pickle of a tree. Objects become dicts with texts as keys; with integers where all keys are whole numbers and no
 * value is a tensor, as in an optimizer's state. A Map keeps the types of its keys. Errors: ValueError for anything
 * else, and for a tree that contains itself.
 */
export function pickle(op: string, tree: unknown, tensor: (p: Pickler, t: Tensor) => void): Uint8Array {
  const p = new Pickler(op, tensor);
  p.bytes.u8(0x80, 2);
  p.write(tree, '');
  return p.bytes.u8(0x2e).done();
}

const range = (v: number): 'u8' | 'u16' | 'i32' | 'long' =>
  v >= 0 && v < 256 ? 'u8' : v >= 0 && v < 65536 ? 'u16' : Math.abs(v) < 2 ** 31 ? 'i32' : 'long';

export class Pickler {
  readonly bytes = new ByteWriter();
  private readonly op: string;
  private readonly tensor: (p: Pickler, t: Tensor) => void;
  private readonly memo = new Map<unknown, number>();
  private readonly above = new Set<unknown>();
  constructor(op: string, tensor: (p: Pickler, t: Tensor) => void) {
    this.op = op;
    this.tensor = tensor;
  }

  write(x: unknown, path: string): void {
    const { bytes } = this;
    if (x === null || x === undefined) bytes.u8(0x4e);
    else if (typeof x === 'boolean') bytes.u8(x ? 0x88 : 0x89);
    else if (typeof x === 'string') this.text(x);
    else if (typeof x === 'bigint') this.long(x);
    else if (typeof x === 'number') this.number(x);
    else if (isTensor(x)) this.once(x, () => this.tensor(this, x));
    else if (x instanceof Uint8Array) this.raw(x);
    else this.container(x as object, path);
  }
  /** BINUNICODE. A lone half of a surrogate pair has no UTF-8 and becomes U+FFFD. */
  text(s: string): void {
    const utf8 = new TextEncoder().encode(s);
    this.bytes.u8(0x58).u32(utf8.length).put(utf8);
  }
  /** Whole numbers as integers, others as floats. */
  number(x: number): void {
    const { bytes } = this;
    if (!Number.isSafeInteger(x) || Object.is(x, -0)) {
      bytes.u8(0x47).f64(x);
      return;
    }
    const kind = range(x);
    if (kind === 'u8') bytes.u8(0x4b, x);
    else if (kind === 'u16') bytes.u8(0x4d).u16(x);
    else if (kind === 'i32') bytes.u8(0x4a).u32(x >>> 0);
    else this.long(BigInt(x));
  }
  /** LONG1 or LONG4: two's complement, least byte first. */
  private long(x: bigint): void {
    const list: number[] = [];
    for (let v = x; ; v >>= 8n) {
      list.push(Number(v & 255n));
      const top = list.at(-1)! & 128;
      if ((v >> 8n === 0n && top === 0) || (v >> 8n === -1n && top !== 0)) break;
    }
    if (list.length < 256) this.bytes.u8(0x8a, list.length);
    else this.bytes.u8(0x8b).u32(list.length);
    this.bytes.u8(...list);
  }
  /** Protocol 2 has no bytes: Python 3 writes them as a call that encodes a text of the same characters. */
  private raw(x: Uint8Array): void {
    this.global('_codecs.encode');
    let s = '';
    for (const b of x) s += String.fromCharCode(b);
    this.text(s);
    this.text('latin1');
    this.bytes.u8(0x86, 0x52);
  }
  /** GLOBAL: `module.name`. */
  global(name: string): void {
    const cut = name.lastIndexOf('.');
    this.bytes.u8(0x63).text(`${name.slice(0, cut)}\n${name.slice(cut + 1)}\n`);
  }
  /** A tuple of what `items` writes. */
  tuple(items: () => void): void {
    this.bytes.u8(0x28);
    items();
    this.bytes.u8(0x74);
  }
  /** Writes something the first time and refers to it afterwards. */
  private once(x: unknown, write: () => void): void {
    const known = this.memo.get(x);
    if (known !== undefined) {
      this.bytes.u8(0x6a).u32(known);
      return;
    }
    write();
    this.bytes.u8(0x72).u32(this.memo.size);
    this.memo.set(x, this.memo.size);
  }

  private container(x: object, path: string): void {
    const under = (key: unknown): string => (path === '' ? String(key) : `${path}.${String(key)}`);
    if (this.above.has(x)) throw this.refused(path, 'a tree', 'a value that contains itself');
    this.above.add(x);
    if (Array.isArray(x)) {
      this.bytes.u8(0x5d, 0x28);
      x.forEach((v, i) => {
        this.write(v, under(i));
      });
      this.bytes.u8(0x65);
    } else {
      this.bytes.u8(0x7d, 0x28);
      for (const [k, v] of this.entries(x, path)) {
        this.write(k, path);
        this.write(v, under(k));
      }
      this.bytes.u8(0x75);
    }
    this.above.delete(x);
  }
  private entries(x: object, path: string): (readonly [key: unknown, value: unknown])[] {
    if (x instanceof Map) {
      const odd = [...x.keys()].find(k => !['string', 'number', 'bigint', 'boolean'].includes(typeof k));
      if (odd !== undefined) throw this.refused(path, 'a Map with texts or numbers as keys', show(odd));
      return [...x];
    }
    if (![Object.prototype, null].includes(Object.getPrototypeOf(x)))
      throw this.refused(path, 'a tensor or plain data', show(x));
    const entries = Object.entries(x).filter(([, v]) => v !== undefined);
    const numbered =
      entries.length > 0 &&
      entries.every(([k, v]) => isSize(Number(k)) && String(Number(k)) === k && !isTensor(v));
    return numbered ? entries.map(([k, v]) => [Number(k), v] as const) : entries;
  }
  private refused(path: string, rule: string, got: string): ValueError {
    return new ValueError(this.op, `${path || 'the value'} must be ${rule}`, got, '');
  }
}
