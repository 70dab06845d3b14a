// Python's pickles (pickletools.py describes them), of which plain data and a few named calls are read.
// In: bytes, and what each global name stands for. Out: Map, array, Set, string, number, bigint, boolean, null, Uint8Array.
// A pickle is a program for a stack machine that may call whatever it names. Here it calls functions of a given table
// only, so nothing of the file is run; every step costs at most as much memory as it has bytes.

import { type FileError, show } from '../base/errors.ts';

type Bad = (rule: string, got: string) => FileError;
/** A name that a pickle may use: a function, or a value that stands for a class. */
export interface Global {
  readonly name: string;
  readonly call?: (args: readonly unknown[]) => unknown;
}
export interface PickleRules {
  /** What `module.name` stands for; throws for what is refused. */
  readonly global: (name: string) => Global;
  /** What an object that lies outside of the pickle is, such as the memory of a tensor. */
  readonly persistent: (id: unknown) => unknown;
  /** Python 2 had one kind for texts and bytes: what its strings become. Default 'text'. */
  readonly strings?: 'text' | 'bytes';
  /** Gives an object that a call made its state; false where it takes none. */
  readonly build?: (of: unknown, state: unknown) => boolean;
  readonly bad: Bad;
}

/** Reads one pickle from `at`; tells where it ends. Errors: what `bad` and `global` make. */
export function unpickle(bytes: Uint8Array, at: number, rules: PickleRules): { value: unknown; end: number } {
  const m = new Machine(bytes, at, rules);
  for (;;) {
    const op = m.u8();
    if (op === STOP) return { value: m.result(), end: m.at };
    const run = OPCODES[op];
    if (run === undefined)
      throw rules.bad('a pickle has known opcodes', `0x${op.toString(16)} at ${m.at - 1}`);
    run(m);
  }
}

class Machine {
  at: number;
  readonly rules: PickleRules;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  constructor(bytes: Uint8Array, at: number, rules: PickleRules) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
    this.rules = rules;
  }

  // ---- bytes
  /** Where the next `n` bytes are. */
  private skip(n: number): number {
    const from = this.at;
    if (!(n <= this.bytes.length - from)) throw this.rules.bad('a pickle is whole', `its end at ${from}`);
    this.at += n;
    return from;
  }
  u8(): number {
    return this.bytes[this.skip(1)]!;
  }
  u16(): number {
    return this.view.getUint16(this.skip(2), true);
  }
  i32(): number {
    return this.view.getInt32(this.skip(4), true);
  }
  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }
  u64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }
  f64(): number {
    return this.view.getFloat64(this.skip(8));
  }
  take(n: number): Uint8Array {
    const from = this.skip(n);
    return this.bytes.subarray(from, from + n);
  }
  data(n: number): Uint8Array {
    return new Uint8Array(this.take(n));
  }
  text(n: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(n));
    } catch (e) {
      throw e instanceof TypeError ? this.rules.bad('texts are UTF-8', `other bytes before ${this.at}`) : e;
    }
  }
  string(n: number): string | Uint8Array {
    return this.rules.strings === 'bytes' ? this.data(n) : this.text(n);
  }
  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw this.rules.bad('a pickle is whole', `its end at ${this.at}`);
    const line = this.text(end - this.at);
    this.at++;
    return line;
  }
  /** A number in two's complement, least byte first. */
  long(n: number): number | bigint {
    if (n > LONGEST) throw this.rules.bad(`a number has at most ${LONGEST} bytes`, `${n}`);
    let v = 0n;
    for (const b of this.take(n).toReversed()) v = (v << 8n) | BigInt(b);
    const signed = BigInt.asIntN(8 * n, v);
    const small = Number(signed);
    return Number.isSafeInteger(small) ? small : signed;
  }

  // ---- stack
  push(v: unknown): void {
    this.stack.push(v);
  }
  pop(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.odd('no value on the stack');
    return this.stack.pop();
  }
  top(): unknown {
    const v = this.pop();
    this.stack.push(v);
    return v;
  }
  mark(): void {
    this.marks.push(this.stack.length);
  }
  toMark(): unknown[] {
    const from = this.marks.pop();
    if (from === undefined) throw this.odd('no mark on the stack');
    return this.stack.splice(from);
  }
  result(): unknown {
    const v = this.pop();
    if (this.stack.length + this.marks.length > 0) throw this.odd('values left on the stack');
    return v;
  }
  odd(got: string): FileError {
    return this.rules.bad('a pickle is a program for a stack', `${got} at ${this.at - 1}`);
  }
  remember(key: number): void {
    this.memo.set(key, this.top());
  }
  memoize(): void {
    this.remember(this.memo.size);
  }
  recall(key: number): void {
    if (!this.memo.has(key)) throw this.odd(`no value under ${key}`);
    this.push(this.memo.get(key));
  }

  // ---- values
  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list) || Object.isFrozen(list)) throw this.odd(`${show(list)} for a list`);
    for (const v of items) list.push(v);
  }
  setItems(items: readonly unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.odd(`${show(dict)} for a dict`);
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }
  addItems(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.odd(`${show(set)} for a set`);
    for (const v of items) set.add(v);
  }
  call(): void {
    const args = this.pop();
    const callee = this.pop();
    const call = isGlobal(callee) ? callee.call : undefined;
    if (call === undefined || !Array.isArray(args))
      throw this.odd(`a call of ${isGlobal(callee) ? callee.name : show(callee)}`);
    this.push(call(args));
  }
  /** Attributes of a dict, such as the _metadata of a state dict, are left out; nothing else of PyTorch has any. */
  build(): void {
    const state = this.pop();
    const of = this.top();
    if (this.rules.build?.(of, state)) return;
    if (!(of instanceof Map)) throw this.odd(`attributes of ${show(of)}`);
  }
  stackGlobal(): void {
    const name = this.pop();
    const module = this.pop();
    if (typeof name !== 'string' || typeof module !== 'string') throw this.odd('a name that is no text');
    this.push(this.rules.global(`${module}.${name}`));
  }
}
const LONGEST = 1024;
const isGlobal = (x: unknown): x is Global =>
  typeof x === 'object' && x !== null && Object.getPrototypeOf(x) === Object.prototype && 'name' in x;
/** Lists may grow, tuples may not. */
const tuple = (items: unknown[]): readonly unknown[] => Object.freeze(items);
const pairs = (items: readonly unknown[], m: Machine): Map<unknown, unknown> => {
  const dict = new Map<unknown, unknown>();
  m.push(dict);
  m.setItems(items);
  m.pop();
  return dict;
};

const STOP = 0x2e;
const OPCODES: Readonly<Record<number, (m: Machine) => void>> = {
  // PROTO, FRAME
  128: m => {
    const version = m.u8();
    if (version > 5) throw m.rules.bad('the pickle protocol is 0 to 5', `${version}`);
  },
  149: m => void m.u64(),
  // MARK, POP, POP_MARK, DUP
  40: m => m.mark(),
  48: m => void m.pop(),
  49: m => void m.toMark(),
  50: m => m.push(m.top()),
  // NONE, NEWTRUE, NEWFALSE, BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
  78: m => m.push(null),
  136: m => m.push(true),
  137: m => m.push(false),
  74: m => m.push(m.i32()),
  75: m => m.push(m.u8()),
  77: m => m.push(m.u16()),
  138: m => m.push(m.long(m.u8())),
  139: m => m.push(m.long(m.u32())),
  71: m => m.push(m.f64()),
  // BINSTRING, SHORT_BINSTRING, BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
  84: m => m.push(m.string(m.u32())),
  85: m => m.push(m.string(m.u8())),
  88: m => m.push(m.text(m.u32())),
  140: m => m.push(m.text(m.u8())),
  141: m => m.push(m.text(m.u64())),
  // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
  66: m => m.push(m.data(m.u32())),
  67: m => m.push(m.data(m.u8())),
  142: m => m.push(m.data(m.u64())),
  150: m => m.push(m.data(m.u64())),
  // EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3
  41: m => m.push(tuple([])),
  116: m => m.push(tuple(m.toMark())),
  133: m => m.push(tuple([m.pop()])),
  134: m => m.push(tuple([m.pop(), m.pop()].reverse())),
  135: m => m.push(tuple([m.pop(), m.pop(), m.pop()].reverse())),
  // EMPTY_LIST, LIST, APPEND, APPENDS
  93: m => m.push([]),
  108: m => m.push(m.toMark()),
  97: m => m.append([m.pop()]),
  101: m => m.append(m.toMark()),
  // EMPTY_DICT, DICT, SETITEM, SETITEMS
  125: m => m.push(new Map()),
  100: m => m.push(pairs(m.toMark(), m)),
  115: m => m.setItems([m.pop(), m.pop()].reverse()),
  117: m => m.setItems(m.toMark()),
  // EMPTY_SET, ADDITEMS, FROZENSET
  143: m => m.push(new Set()),
  144: m => m.addItems(m.toMark()),
  145: m => m.push(new Set(m.toMark())),
  // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
  113: m => m.remember(m.u8()),
  114: m => m.remember(m.u32()),
  148: m => m.memoize(),
  104: m => m.recall(m.u8()),
  106: m => m.recall(m.u32()),
  // GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD, BINPERSID
  99: m => m.push(m.rules.global(`${m.line()}.${m.line()}`)),
  147: m => m.stackGlobal(),
  82: m => m.call(),
  129: m => m.call(),
  98: m => m.build(),
  81: m => m.push(m.rules.persistent(m.pop())),
};
