// What every tensor is: a handle on a node, perhaps a view of another tensor, perhaps the owner of a cell and a gradient.
// In: nodes. Out: values, gradients, in-place changes. The families of methods are in the files that extend this class.

import { gradients, usedUp } from '../autograd/grad.ts';
import { DTYPES, type DType, isFloat, readElement, type TypedArray, typedArray } from '../base/dtype.ts';
import { CompileError, DTypeError, GradError, ShapeError, showShape, ValueError } from '../base/errors.ts';
import { type Nested, printTensor } from '../base/print.ts';
import type { Shape } from '../base/shape.ts';
import { normalizeDim, numel, sameShape } from '../base/shape.ts';
import { built, gradMode, internal, makeNode, type Node, type Storage } from '../ir/node.ts';
import { add, alias, cast, constLike, dataNode, detach } from '../ir/ops/elementwise.ts';
import { expand } from '../ir/ops/reduce.ts';
import type { Device } from '../runtime/device.ts';
import { getDevice } from '../runtime/devices.ts';
import { Cell } from './cell.ts';
import { addDirty, checkThere, realize, want } from './realize.ts';
import { recording, recordingId, structureChanged } from './record.ts';
import type { Tensor } from './tensor.ts';
import { yieldSometimes } from './yield.ts';

/** How a view sees its base, and how a change of the view changes the base. */
export interface View {
  readonly get: (base: Node) => Node;
  readonly put: (base: Node, value: Node) => Node;
  /** Cut off from gradients: changes through it are not recorded. */
  readonly detached: boolean;
}

/** Beyond this many pending nodes, or bytes of data below them, the sources of the next op are computed first. */
const MAX_PENDING = 4096;
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

export interface BackwardOptions {
  /** Keep the graph for another backward. Default false. */
  readonly retainGraph?: boolean;
  /** Make the gradients differentiable. Default false. */
  readonly createGraph?: boolean;
}

let TensorClass: new (node: Node, base?: TensorCore | null, view?: View | null) => Tensor;
/** The class of all tensors registers itself: the files below it cannot import it. */
export function setTensorClass(c: typeof TensorClass): void {
  TensorClass = c;
}

/** A tensor for a new node; first computes its sources where too much is pending. */
export function wrap(node: Node): Tensor {
  if (
    (built.nodes > MAX_PENDING || built.bytes > MAX_PENDING_BYTES) &&
    recording.now === null &&
    node.value === null
  ) {
    realize(node.src.filter(s => s.value === null));
  }
  // Each tensor has a node of its own (the sum of a scalar is the scalar), so that a change of one leaves the other alone.
  return new TensorClass(node.held ? alias(node) : node);
}

function hold(node: Node): Node {
  node.held = true;
  return node;
}

/** A tensor that shares memory with `base`: a change of one is seen by the other. */
export function wrapView(of: TensorCore, get: View['get'], put: View['put'], detached = false): Tensor {
  const outer = of._view;
  const node = get(of.node());
  if (outer === null) return new TensorClass(node, of, { get, put, detached });
  // A view of a view is a view of the base.
  return new TensorClass(node, of._base!, {
    get: b => get(outer.get(b)),
    put: (b, v) => outer.put(b, put(outer.get(b), v)),
    detached: detached || outer.detached,
  });
}

export class TensorCore {
  /** @internal The newest value. */
  _node: Node;
  /** @internal The tensor that this is a view of. */
  readonly _base: TensorCore | null;
  /** @internal */
  readonly _view: View | null;
  /** @internal Counts in-place changes (of a base). */
  _version = 0;
  private seen = 0;
  /** Whether a view was made where gradients are recorded: that holds wherever it is read. */
  private readonly recorded = gradMode.enabled;
  /** @internal The home of the value, from the first in-place change on. */
  _cell: Cell | null = null;
  /** @internal */
  _leaf = false;
  /** @internal The gradient, without noting that it was read. */
  _grad: Tensor | null = null;
  /** @internal The last gradient, whose storage the next one may take over. */
  _gradHome: Tensor | null = null;
  /** @internal Somebody outside may hold this tensor (a gradient that was read). */
  _escaped = false;
  /** @internal The recording in which this tensor was made; 0 for none. */
  readonly _made: number;

  constructor(node: Node, base: TensorCore | null = null, view: View | null = null) {
    this._node = hold(node);
    this._base = base;
    this._view = view;
    this.seen = base?._version ?? 0;
    this._made = recordingId();
  }

  // ---- shape and type ------------------------------------------------------------------------------------------------

  /** Sizes of all dims. */
  get shape(): Shape {
    return this._node.shape;
  }
  /** How many dims: the length of the shape. */
  get ndim(): number {
    return this._node.shape.length;
  }
  /** The element type. */
  get dtype(): DType {
    return this._node.dtype;
  }
  /** The device's name: 'cpu', 'webgpu', 'reference'. */
  get device(): string {
    return this._node.device;
  }
  /** The number of elements. */
  get numel(): number {
    return numel(this._node.shape);
  }
  /** The size of one dim (which may be negative), or all sizes. */
  size(): Shape;
  size(dim: number): number;
  size(dim?: number): Shape | number {
    return dim === undefined ? this.shape : this.shape[normalizeDim('size', dim, this.ndim)]!;
  }
  /** Whether elements are floats of any width. */
  get isFloatingPoint(): boolean {
    return isFloat(this.dtype);
  }

  // ---- the node ------------------------------------------------------------------------------------------------------

  /** The node of the current value; used by op implementations. */
  node(): Node {
    const r = recording.now;
    const base = this._base;
    if (base !== null) {
      const captured = r !== null && this._made !== r.id;
      if (base._version !== this.seen || captured) {
        const source = base.node();
        const before = gradMode.enabled;
        gradMode.enabled = this.recorded;
        this._node = hold(this._view!.get(source));
        gradMode.enabled = before;
        // A recording takes back what it notes on the base's node, but not on this one: it is made anew outside.
        this.seen = captured ? -1 : base._version;
      }
      return this._node;
    }
    if (this._made !== 0 && this._made !== (r === null ? 0 : r.id)) this.refuseDead();
    return r === null ? this._node : r.read(this);
  }
  /** The node to ask about: that of a view follows its base. */
  private get current(): Node {
    return this._base === null ? this._node : this.node();
  }
  private refuseDead(): never {
    throw new CompileError(
      'compile',
      'a tensor made inside a compiled function lives only there',
      `one of shape ${showShape(this._node.shape)}`,
      'return it from the function',
    );
  }

  /** @internal Replaces the value; the common part of all in-place methods. */
  _assign(value: Node, method: string): Tensor {
    const self = this as unknown as Tensor;
    const old = this.node();
    if (this._base?._leaf && gradMode.enabled && !this._view!.detached) this._base.refuseLeaf(method);
    if (this._leaf && gradMode.enabled) this.refuseLeaf(method);
    if (!sameShape(value.shape, old.shape)) {
      if (value.shape.length > old.shape.length || !canExpand(value.shape, old.shape)) {
        throw new ShapeError(
          method,
          `the result must keep the shape ${showShape(old.shape)} of the tensor`,
          showShape(value.shape),
          'use the method without the underscore',
        );
      }
      value = expand(value, old.shape);
    }
    if (value.dtype !== old.dtype) {
      if (isFloat(value.dtype) && !isFloat(old.dtype)) {
        throw new DTypeError(
          method,
          `the result must fit the dtype ${old.dtype} of the tensor`,
          value.dtype,
          'convert the tensor first, or use the method without the underscore',
        );
      }
      value = cast(value, old.dtype);
    }
    if (this._base !== null) {
      old.overwrittenBy = { method, value: value.needsGrad ? value : null };
      const base = this._base;
      const change = (): unknown => base._assign(this._view!.put(base.node(), value), method);
      if (this._view!.detached) withoutGrad(change);
      else change();
      return self;
    }
    recording.now?.change(this);
    old.overwrittenBy = { method, value: value.needsGrad ? value : null };
    if (recording.now === null && this._cell === null && old.value !== null) {
      checkThere(old.value);
      this._cell = new Cell(this, old.value, [old]);
    }
    this._version++;
    // The node is this tensor's own: another tensor with the same node must not change along.
    const own = value.userRead || value.value !== null ? alias(value) : value;
    this._node = hold(this._leaf ? this.leafOver(own) : own);
    if (recording.now === null && this._cell !== null) addDirty(this._cell);
    return self;
  }
  private refuseLeaf(method: string): never {
    throw new GradError(
      method,
      'a leaf that requires grad cannot be changed in place where gradients are recorded',
      `a tensor of shape ${showShape(this.shape)}`,
      'wrap the change in noGrad(() => …)',
    );
  }
  private leafOver(value: Node): Node {
    const n = makeNode(alias.def, [value], null, value.shape, value.dtype);
    n.leaf = this;
    n.needsGrad = true;
    n.hooks = this._node.hooks;
    return n;
  }
  /** @internal A new node for the value in the cell: the old node was given a copy of the old value. */
  _renew(): Node {
    const n = dataNode(this._node.shape, this._node.dtype, this._node.device);
    n.value = this._cell!.home;
    if (this._leaf) {
      n.leaf = this;
      n.needsGrad = true;
      n.hooks = this._node.hooks;
    }
    return hold(n);
  }
  /** @internal Another value, perhaps of another dtype or on another device, for the same tensor. */
  _become(value: Node): void {
    this._version++;
    this._cell = null;
    this._gradHome = null;
    this._node = hold(this._leaf ? this.leafOver(value) : alias(value));
    structureChanged();
  }
  /** @internal The home of the value, made if need be: for tensors that steps change (parameters, optimizer state). */
  _own(): Cell {
    if (this._cell === null) {
      if (this._node.value === null) realize([this._node]);
      this._cell = new Cell(this, this._node.value!, [this._node]);
    }
    return this._cell;
  }

  // ---- values ---------------------------------------------------------------------------------------------------------

  /** Computes the value now; returns the tensor. */
  realize(): Tensor {
    if (recording.now !== null) recording.now.refuse('realize()');
    const n = this.node();
    if (n.value === null) realize([n]);
    return this as unknown as Tensor;
  }
  /** @internal The bytes of the elements in row-major order, in the dtype's own representation. */
  _bytes(): Uint8Array<ArrayBuffer> {
    return this._read((d, s) => d.download(s));
  }
  /** @internal The same without a copy where there is a way: to be used before anything else is computed. */
  _peek(): Uint8Array {
    return this._read((d, s) => d.peek?.(s) ?? d.download(s));
  }
  private _read<T>(how: (d: Device, s: Storage) => T): T {
    if (recording.now !== null) recording.now.refuse('data()');
    this.realize();
    const n = this.node();
    checkThere(n.value!);
    return how(getDevice(n.device), n.value!);
  }
  /** A fresh typed array with the elements in row-major order (16-bit floats as float32, int64 as BigInt64Array). */
  dataSync(): TypedArray {
    const bytes = this._bytes();
    const { dtype } = this;
    const raw = typedArray(dtype, bytes.buffer, bytes.byteOffset, this.numel);
    if (dtype !== 'float16' && dtype !== 'bfloat16') return raw;
    return Float32Array.from({ length: raw.length }, (_, i) => readElement(raw, dtype, i));
  }
  /**
   * The elements in row-major order as a fresh typed array, when they have been computed; lets the event loop turn
   * now and then.
   */
  async data(): Promise<TypedArray> {
    const d = this.dataSync();
    await yieldSometimes();
    return d;
  }
  /** The only element, as a number (bool: boolean; int64 beyond 2^53: bigint). */
  itemSync(): number {
    if (recording.now !== null) recording.now.refuse('item()');
    if (this.numel !== 1) {
      throw new ValueError(
        'item',
        'the tensor must have exactly one element',
        `shape ${showShape(this.shape)}`,
        'reduce it first, or read it with data()',
      );
    }
    return scalarValue(this.dataSync(), this.dtype, 0) as number;
  }
  /**
   * The only element, as a number, when it has been computed; lets the event loop turn now and then. More than one
   * element is an error.
   */
  async item(): Promise<number> {
    const v = this.itemSync();
    await yieldSometimes();
    return v;
  }
  /** Nested arrays of the elements; a number for a 0-dim tensor. */
  tolistSync(): Nested {
    const d = this.dataSync();
    const { dtype, shape } = this;
    const build = (dim: number, at: number, stride: number): Nested => {
      if (dim === shape.length) return scalarValue(d, dtype, at);
      const n = shape[dim]!;
      const step = n === 0 ? 0 : stride / n;
      return Array.from({ length: n }, (_, i) => build(dim + 1, at + i * step, step));
    };
    return build(0, 0, this.numel);
  }
  /** The values as nested arrays (a plain number for a 0-d tensor), as a Promise; `tolistSync` at once. */
  async tolist(): Promise<Nested> {
    const v = this.tolistSync();
    await yieldSometimes();
    return v;
  }

  /** The values as PyTorch prints them: aligned columns, four digits, long dims summarised. */
  toString(): string {
    const extra: string[] = [];
    if (this.dtype !== 'float32' && this.dtype !== 'int64' && this.dtype !== 'bool')
      extra.push(`dtype=${this.dtype}`);
    if (this.device !== 'cpu') extra.push(`device=${this.device}`);
    if (this.requiresGrad) extra.push(this._leaf ? 'requiresGrad=true' : `grad of ${this._node.op.name}`);
    if (recording.now !== null) return `tensor(<${showShape(this.shape)} inside compile>)`;
    const d = this.dataSync();
    return printTensor(i => scalarValue(d, this.dtype, i), this.shape, isFloat(this.dtype), extra);
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  // ---- gradients ------------------------------------------------------------------------------------------------------

  /** Whether gradients are recorded for this tensor. */
  get requiresGrad(): boolean {
    return this._leaf || this.current.needsGrad;
  }
  set requiresGrad(on: boolean) {
    this.requiresGrad_(on);
  }
  /** Whether the user made this tensor (or gradients do not reach it): its gradient goes to `.grad`. */
  get isLeaf(): boolean {
    return this._leaf || !this.current.needsGrad;
  }
  /** Records gradients for this leaf from here on; false ends it. Errors: integers, and false for results of other ops. */
  requiresGrad_(on = true): Tensor {
    const self = this as unknown as Tensor;
    if (on && !isFloat(this.dtype)) {
      throw new DTypeError(
        'requiresGrad',
        'only floating tensors have gradients',
        this.dtype,
        "convert with .to('float32')",
      );
    }
    if (on === this._leaf && (on || !this._node.needsGrad)) return self;
    const n = this.node();
    // A pending value of a cell may have readers, which the next node would not know of.
    if (n.value === null && this._cell !== null && recording.now === null) realize([n]);
    if (!this._leaf && n.needsGrad) {
      if (on) return self;
      throw new GradError(
        'requiresGrad_',
        'only a leaf can stop requiring grad',
        'the result of an op',
        'use detach()',
      );
    }
    recording.now?.change(this);
    structureChanged();
    this._leaf = on;
    this._version++; // views follow
    if (n.value === null) {
      this._node = hold(on ? this.leafOver(n) : alias(n));
      if (!on) this._node.needsGrad = false;
      return self;
    }
    // The same value, as another node: graphs built so far keep theirs.
    const fresh = dataNode(n.shape, n.dtype, n.device);
    fresh.value = n.value;
    fresh.leaf = on ? this : null;
    fresh.needsGrad = on;
    if (this._cell !== null) this._cell.addReader(fresh);
    else this._cell = new Cell(this, n.value, [n, fresh]);
    this._node = hold(fresh);
    return self;
  }
  /** The accumulated gradient, or null. */
  get grad(): Tensor | null {
    recording.now?.askGrad(this);
    if (this._grad !== null) this._grad._escaped = true;
    return this._grad;
  }
  set grad(g: Tensor | null) {
    if (g !== null && !sameShape(g.shape, this.shape)) {
      throw new ShapeError(
        'grad',
        `a gradient must have the shape ${showShape(this.shape)} of its tensor`,
        showShape(g.shape),
        '',
      );
    }
    recording.now?.setGrad(this);
    this._grad = g;
  }
  /** The same values, cut off from gradients; shares memory. */
  detach(): Tensor {
    return wrapView(
      this,
      b => detach(b),
      (_, v) => detach(v),
      true,
    );
  }
  /** Calls `hook` with the gradient of this tensor during backward; what it returns replaces the gradient. */
  registerHook(hook: (g: Tensor) => Tensor | undefined | null): () => void {
    const n = this.node();
    if (!n.needsGrad) {
      throw new GradError(
        'registerHook',
        'the tensor must require grad',
        'one that does not',
        'call requiresGrad_() first',
      );
    }
    structureChanged();
    // The list is shared by all versions of a leaf.
    const hooks = (n.hooks ??= []);
    const f = (g: Node): Node => hook(wrap(g))?.node() ?? g;
    hooks.push(f);
    return () => {
      structureChanged();
      const i = hooks.indexOf(f);
      if (i >= 0) hooks.splice(i, 1);
    };
  }
  /** Keeps the gradient of a tensor that is not a leaf: after backward it is in `.grad`. */
  retainGrad(): Tensor {
    const self = this as unknown as Tensor;
    if (!this._leaf) {
      this.registerHook(g => {
        accumulate(self, g.node(), false);
        return g;
      });
    }
    return self;
  }

  /**
   * Adds the gradients of this tensor with respect to all leaves to their `.grad`.
   * A tensor with more than one element needs `gradient`, of its own shape.
   */
  backward(gradient?: Tensor | null, options: BackwardOptions = {}): void {
    const n = this.node();
    if (!n.needsGrad) {
      throw new GradError(
        'backward',
        'the tensor must depend on one that requires grad',
        this._leaf ? 'a leaf' : 'one that does not (was it computed under noGrad, or detached?)',
        'call requiresGrad_() on the parameters first',
      );
    }
    if (gradient == null && this.numel !== 1) {
      throw new GradError(
        'backward',
        'gradients start from a scalar',
        `shape ${showShape(this.shape)}`,
        'reduce it (mean, sum), or pass a gradient of the same shape',
      );
    }
    if (gradient != null && !sameShape(gradient.shape, this.shape)) {
      throw new ShapeError(
        'backward',
        `the gradient must have the shape ${showShape(this.shape)}`,
        showShape(gradient.shape),
        '',
      );
    }
    const createGraph = options.createGraph ?? false;
    const retain = options.retainGraph ?? createGraph;
    const start = gradient?.node() ?? expand(constLike(n, 1), n.shape);
    gradients([n], [start], null, { createGraph, free: !retain, internal: !createGraph }, (leaf, g) => {
      accumulate(leaf.leaf as Tensor, g, createGraph);
    });
    if (recording.now !== null) return;
    if (n.value === null) want(n);
    else if (usedUp(n)) n.src = [];
  }
}

/** Adds to `.grad`. The storage of a gradient that nobody has read is used again. */
function accumulate(t: Tensor, g: Node, createGraph: boolean): void {
  recording.now?.askGrad(t);
  recording.now?.change(t);
  const before = internal.on;
  internal.on = before || !createGraph;
  const mode = gradMode.enabled;
  gradMode.enabled = mode && createGraph;
  try {
    const had = t._grad;
    if (had !== null) {
      if (createGraph) t._grad = new TensorClass(add(had.node(), g));
      else had._assign(add(had.node(), g), 'backward');
      return;
    }
    const grad = new TensorClass(alias(g));
    t._grad = grad;
    if (createGraph || recording.now !== null) return;
    const home =
      t._gradHome?._escaped === false
        ? t._gradHome._cell!.home
        : getDevice(g.device).empty(numel(g.shape) * DTYPES[g.dtype].bytes);
    grad._cell = new Cell(grad, home, []);
    grad._cell.alive = () => t._grad === grad || grad._escaped;
    t._gradHome = grad;
    addDirty(grad._cell);
  } finally {
    internal.on = before;
    gradMode.enabled = mode;
  }
}

function withoutGrad(body: () => unknown): void {
  const before = gradMode.enabled;
  gradMode.enabled = false;
  try {
    body();
  } finally {
    gradMode.enabled = before;
  }
}

function canExpand(from: Shape, to: Shape): boolean {
  const lead = to.length - from.length;
  return from.every((n, d) => n === 1 || n === to[lead + d]);
}

/** One element as JavaScript shows it. */
export function scalarValue(d: TypedArray, dtype: DType, i: number): number | boolean | bigint {
  const v = d[i]!;
  if (dtype === 'bool') return v !== 0;
  if (typeof v === 'bigint') {
    return v >= BigInt(Number.MIN_SAFE_INTEGER) && v <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(v) : v;
  }
  return v;
}
