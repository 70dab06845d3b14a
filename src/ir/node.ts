// The vertex of the tensor graph and its walks.
// In: an op, sources, attributes. Out: an immutable Node with shape, dtype and a structural hash.
// Not its job: checking (the op's record does), computing, memory.

import type { DType } from '../base/dtype.ts';
import { DTYPES } from '../base/dtype.ts';
import { DeviceError } from '../base/errors.ts';
import type { Shape } from '../base/shape.ts';
import type { OpDef } from './op.ts';

/** Where realised bytes live; the runtime knows what is behind it. */
export interface Storage {
  readonly byteLength: number;
}

let serials = 0;

export class Node<A = unknown> {
  readonly op: OpDef;
  src: readonly Node[];
  readonly attrs: A;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: string;
  hash: number;
  needsGrad: boolean;
  /** Counts up in the order of building: what was built inside a function has a larger one than what it found. */
  serial: number;
  /** Set once the value exists: from then on the node is a source. */
  value: Storage | null = null;
  /** The tensor that gets `.grad`, where this is a leaf; opaque here. */
  leaf: unknown = null;
  /** Called on the gradient of this node during backward; may replace it. */
  hooks: ((g: Node) => Node)[] | null = null;
  /** After backward without retainGraph: what the graph held is gone. */
  freed = false;
  /** The tensor of this value was changed in place while backward may still need it: by which method, and to what. */
  overwrittenBy: { readonly method: string; readonly value: Node | null } | null = null;
  /** Some node that a user may still read depends on this value. */
  userRead = false;
  /** A tensor stands on this node. */
  held = false;
  /** Scratch of the walk in progress. */
  mark = 0;
  index = 0;

  constructor(
    op: OpDef,
    src: readonly Node[],
    attrs: A,
    shape: Shape,
    dtype: DType,
    device: string,
    hash: number,
    needsGrad: boolean,
  ) {
    this.op = op;
    this.src = src;
    this.attrs = attrs;
    this.shape = shape;
    this.dtype = dtype;
    this.device = device;
    this.hash = hash;
    this.needsGrad = needsGrad;
    this.serial = ++serials;
  }
}
/** The serial of the newest node. */
export const newestSerial = (): number => serials;

export const mix = (h: number, x: number): number => {
  let k = Math.imul(h ^ x, 0x9e3779b1);
  k ^= k >>> 15;
  return Math.imul(k, 0x85ebca77) | 0;
};

export function hashShape(h: number, shape: Shape): number {
  h = mix(h, shape.length);
  for (let i = 0; i < shape.length; i++) h = mix(h, shape[i]!);
  return h;
}

const float = new Float64Array(1);
const words = new Int32Array(float.buffer);
/** Hashes attribute values structurally: numbers, strings, lists, plain objects; anything else counts as one. */
export function hashValue(h: number, v: unknown): number {
  if (typeof v === 'number') {
    if ((v | 0) === v) return mix(h, v);
    float[0] = v;
    return mix(mix(h, words[0]!), words[1]!);
  }
  if (typeof v === 'string') {
    for (let i = 0; i < v.length; i++) h = mix(h, v.charCodeAt(i));
    return h;
  }
  if (typeof v === 'boolean') return mix(h, v ? 3 : 5);
  if (typeof v === 'bigint') return mix(h, Number(BigInt.asIntN(32, v)));
  if (Array.isArray(v)) {
    h = mix(h, v.length);
    for (let i = 0; i < v.length; i++) h = hashValue(h, v[i]);
    return h;
  }
  if (v !== null && typeof v === 'object' && Object.getPrototypeOf(v) === Object.prototype) {
    for (const k in v) h = hashValue(h, (v as Record<string, unknown>)[k]);
    return h;
  }
  return mix(h, 7);
}

export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false;
    return true;
  }
  if (a !== null && b !== null && typeof a === 'object' && typeof b === 'object') {
    if ('sameAs' in a) return (a as { sameAs(o: unknown): boolean }).sameAs(b);
    if (Object.getPrototypeOf(a) !== Object.prototype) return false;
    const x = a as Record<string, unknown>;
    const y = b as Record<string, unknown>;
    for (const k in x) if (!sameValue(x[k], y[k])) return false;
    for (const k in y) if (!(k in x)) return false;
    return true;
  }
  return false;
}

/** Whether nodes record what backward needs; `noGrad` switches it. */
export const gradMode = { enabled: true };
/** While true, new nodes are internal: no user holds a handle on them, so they do not keep old versions alive. */
export const internal = { on: false };
/** While set, using an overwritten value is an error, or so `check` decides: the vjp rule of the node is being applied. */
export const needing: { node: Node | null; check: ((source: Node, node: Node) => void) | null } = {
  node: null,
  check: null,
};

/** How many nodes were built since the last realise, and how many bytes of new data they stand on. */
export const built = { nodes: 0, bytes: 0 };

export function makeNode<A>(
  op: OpDef<A>,
  src: readonly Node[],
  attrs: A,
  shape: Shape,
  dtype: DType,
  device?: string,
): Node<A> {
  built.nodes++;
  let h = mix(op.hashAttrs(op.id, attrs), DTYPES[dtype].code);
  h = hashShape(h, shape);
  let needsGrad = false;
  let where = device;
  for (let i = 0; i < src.length; i++) {
    const s = src[i]!;
    h = mix(h, s.hash);
    needsGrad ||= s.needsGrad;
    if (!internal.on && !s.userRead) markRead(s);
    if (where === undefined) where = s.device;
    else if (where !== s.device && device === undefined) {
      throw new DeviceError(
        op.name,
        'all tensors must be on one device',
        src.map(n => n.device).join(' and '),
        `move one with .to('${where}')`,
      );
    }
    if (needing.node !== null && s.overwrittenBy !== null) needing.check!(s, needing.node);
  }
  needsGrad &&= gradMode.enabled && op.differentiable && DTYPES[dtype].category === 2;
  return new Node(op as unknown as OpDef, src, attrs, shape, dtype, where ?? 'cpu', h, needsGrad);
}

/** Notes that a user may come to read n, and with it what n is still to be computed from. */
export function markRead(n: Node): void {
  const stack = [n];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    if (x.userRead) continue;
    x.userRead = true;
    if (x.value === null) stack.push(...x.src);
  }
}

let epoch = 0;
/** A fresh stamp for a walk: compare `node.mark` with it. */
export const newMark = (): number => ++epoch;

/** All nodes that the roots need, sources first; stops at nodes for which `stop` holds (they are included). */
export function toposort(roots: readonly Node[], stop: (n: Node) => boolean = n => n.value !== null): Node[] {
  const mark = newMark();
  const order: Node[] = [];
  for (const root of roots) {
    if (root.mark === mark) continue;
    root.mark = mark;
    root.index = 0;
    // `index` counts the sources already walked; an explicit stack keeps deep graphs from overflowing.
    const stack = [root];
    while (stack.length > 0) {
      const n = stack[stack.length - 1]!;
      if (n.index < n.src.length && !stop(n)) {
        const s = n.src[n.index++]!;
        if (s.mark === mark) continue;
        s.mark = mark;
        if (s.src.length === 0) {
          s.index = order.length;
          order.push(s);
        } else {
          s.index = 0;
          stack.push(s);
        }
      } else {
        stack.pop();
        n.index = order.length;
        order.push(n);
      }
    }
  }
  return order;
}

/** All nodes that the roots need in the order of the program, which is the order in which they were built. */
export const programOrder = (roots: readonly Node[]): Node[] =>
  toposort(roots).sort((a, b) => a.serial - b.serial);

/** A copy of the graph below the roots: later changes of the originals (a node that becomes a source) do not reach it. */
export function cloneGraph(roots: readonly Node[]): Map<Node, Node> {
  const copies = new Map<Node, Node>();
  for (const n of toposort(roots)) {
    const src = n.value === null ? n.src.map(s => copies.get(s)!) : [];
    const c = new Node(n.op, src, n.attrs, n.shape, n.dtype, n.device, n.hash, false);
    c.value = n.value;
    copies.set(n, c);
  }
  return copies;
}
