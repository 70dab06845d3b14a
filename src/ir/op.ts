// One op, one record: everything that is true of an op on every device, and the registry that tests and docs iterate.
// In: records. Out: OPS and the makers of op functions by kind. Not its job: what a particular op does.

import type { DType } from '../base/dtype.ts';
import { isFloat, isInt } from '../base/dtype.ts';
import { DTypeError, showShape } from '../base/errors.ts';
import type { Shape } from '../base/shape.ts';
import { broadcastShapes } from '../base/shape.ts';
import type { Node } from './node.ts';
import { hashValue, makeNode } from './node.ts';
import type { Affine, E, Fold } from './scalar.ts';

export type Kind =
  | 'source'
  | 'elementwise'
  | 'movement'
  | 'reduce'
  | 'contraction'
  | 'index'
  | 'scatter'
  | 'scan'
  | 'join'
  | 'host'
  | 'steps'
  | 'part'
  | 'composite';

/** A typed array with its shape, as host ops and the reference see values. */
export interface HostValue {
  readonly data: ArrayLike<number>;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One set of inputs on which the table tests run an op. */
export interface Sample {
  readonly shapes: readonly Shape[];
  readonly attrs?: unknown;
  /** Inputs are drawn from this range (default -2 … 2). */
  readonly range?: readonly [number, number];
  /** Dtypes of the inputs where not float. */
  readonly dtypes?: readonly DType[];
  /** Points where the function has a kink: samples keep away from them in gradient checks. */
  readonly kinks?: readonly number[];
  /** Inputs that the gradient check varies; default all floating ones. */
  readonly wrt?: readonly number[];
  /** Inputs by which the derivative is 0 everywhere. */
  readonly flat?: readonly number[];
}

/** The batched form of any nodes built on the examples of a vmap; `also` names further examples and their batches. */
export type Lift = (nodes: readonly Node[], also?: ReadonlyMap<Node, Node>) => Node[];
/** The batched form of a node for vmap: sources come with the batch at dim 0 (flag true) or without. */
export type BatchRule<A> = (
  src: readonly Node[],
  batched: readonly boolean[],
  node: Node<A>,
  size: number,
  lift: Lift,
) => Node;

/**
 * A kernel that ops bring along: the loops it runs over, and where in them each source is read and each result is written.
 * Ops with equal sources, and attributes equal but for `output`, are results of one run. What it becomes on a device:
 * kernels/own.ts.
 */
export interface OwnKernel<A extends { readonly output: number } = { readonly output: number }> {
  /** Whether it computes this node; others are written out in plain ops. */
  takes(n: Node<A>): boolean;
  /** Sizes of the loops. */
  loops(n: Node<A>): readonly number[];
  /**
   * The index of each source at some place of the loops; `inMemory` where it must be a load without a condition. Others are
   * expressions of which four fit a vector; a source that is neither gets memory.
   */
  reads(n: Node<A>, at: readonly Affine[]): readonly { at: Affine[]; inMemory: boolean }[];
  /** The index of the node as a result. */
  writes(n: Node<A>, at: readonly Affine[]): Affine[];
  /** Scalar operations of one run, about. */
  work(n: Node<A>): number;
}

export interface OpDef<A = unknown> {
  readonly id: number;
  readonly name: string;
  readonly kind: Kind;
  /** One sentence with the formula. */
  readonly doc: string;
  readonly arity: number;
  shape(src: readonly Node[], attrs: A): Shape;
  dtype(src: readonly Node[], attrs: A): DType;
  hashAttrs(h: number, attrs: A): number;
  /** Attributes that are bound at each run and are no part of the structure. */
  readonly bound: boolean;
  /** Whether gradients flow through at all. */
  readonly differentiable: boolean;
  /** The gradient for source i: made of differentiable ops. Null with `why` where there is none. */
  readonly vjp: ((g: Node, node: Node<A>, i: number) => Node | null) | null;
  readonly why: string;
  /** Linear in each of these sources alone: forward mode applies the op itself. */
  readonly linearIn: readonly number[] | null;
  /** Linear in all sources together, like a sum or a join: forward mode applies the op to all tangents at once. */
  readonly additive: boolean;
  readonly batch: BatchRule<A> | null;
  /** elementwise: the element in machine ops. */
  readonly scalar: ((args: readonly E[], attrs: A, dtype: DType) => E) | null;
  /** The body gets the element's row-major position as one more argument. */
  readonly usesPosition: boolean;
  /** reduce, scan: how values fold. */
  readonly fold: Fold | null;
  /** movement: the index into the source for an index of the result; `guard` limits where it is valid. */
  readonly index: ((at: readonly Affine[], node: Node<A>) => { at: Affine[]; guard?: E | null }) | null;
  /** movement: the same elements in row-major order under another shape (its index map depends on the loops). */
  readonly relabels: boolean;
  /** composite: a kernel that computes it at once. */
  readonly kernel: OwnKernel<A & { readonly output: number }> | null;
  /** composite: the same in plain ops. Without a `vjp` its gradient is that of these. */
  readonly decompose: ((src: readonly Node[], attrs: A) => Node) | null;
  /** host: plain TypeScript on typed arrays. */
  readonly host: ((inputs: readonly HostValue[], node: Node<A>) => ArrayLike<number>) | null;
  /** A kernel that can fail on bad data says how. */
  readonly raises: string | null;
  /** Scalar operations per result element, for the scheduler. */
  readonly cost: number;
  readonly samples: () => readonly Sample[];
  /** Inputs that must be refused, and a part of the message. */
  readonly errors: () => readonly (Sample & { message: string })[];
  readonly paper: string | null;
}

export const OPS: OpDef<never>[] = [];

type Spec<A> = Partial<Omit<OpDef<A>, 'id'>> & Pick<OpDef<A>, 'name' | 'doc'>;
const noVjp = 'it is not differentiable: its result is constant almost everywhere';

/** Registers a record. Names are unique. */
export function defineOp<A>(spec: Spec<A> & Pick<OpDef<A>, 'kind' | 'shape' | 'dtype'>): OpDef<A> {
  if (OPS.some(op => op.name === spec.name)) throw new Error(`defineOp: the name ${spec.name} is taken`);
  const def: OpDef<A> = {
    arity: 1,
    hashAttrs: (h, attrs) => (attrs === null ? h : hashValue(h, attrs)),
    bound: false,
    differentiable: spec.vjp != null || spec.decompose != null,
    vjp: null,
    why: spec.vjp == null && spec.decompose == null ? noVjp : '',
    linearIn: null,
    additive: false,
    batch: null,
    scalar: null,
    usesPosition: false,
    fold: null,
    index: null,
    relabels: false,
    kernel: null,
    decompose: null,
    host: null,
    raises: null,
    cost: 1,
    samples: () => [],
    errors: () => [],
    paper: null,
    ...spec,
    id: OPS.length + 1,
  };
  OPS.push(def as unknown as OpDef<never>);
  return def;
}

/** Whether the node is computed by a kernel that its op brings along. */
export const hasKernel = (n: Node): boolean =>
  n.op.kernel?.takes(n as Node<{ readonly output: number }>) ?? false;

/** Builds a checked node of an op. */
export function build<A>(def: OpDef<A>, src: readonly Node[], attrs: A): Node<A> {
  return makeNode(def, src, attrs, def.shape(src, attrs), def.dtype(src, attrs));
}

export type UnaryOp = ((x: Node) => Node) & { readonly def: OpDef<null> };
export type BinaryOp = ((a: Node, b: Node) => Node) & { readonly def: OpDef<null> };
export type TernaryOp = ((a: Node, b: Node, c: Node) => Node) & { readonly def: OpDef<null> };

/** Which dtypes an elementwise op takes and gives. */
export type DTypeRule = 'same' | 'float' | 'int' | 'intOrBool' | 'bool' | 'number';

const takes: Record<DTypeRule, { ok: (d: DType) => boolean; text: string }> = {
  same: { ok: () => true, text: '' },
  bool: { ok: () => true, text: '' },
  float: { ok: isFloat, text: 'a floating dtype' },
  int: { ok: isInt, text: 'an integer dtype' },
  intOrBool: { ok: d => !isFloat(d), text: 'an integer or bool dtype' },
  number: { ok: d => d !== 'bool', text: 'a numeric dtype' },
};

type ElementwiseSpec = Spec<null> & {
  rule?: DTypeRule;
  scalar: (args: readonly E[], attrs: null, dtype: DType) => E;
  /** One rule per source: g, sources, result. */
  d?: readonly (((g: Node, s: readonly Node[], y: Node) => Node) | null)[];
};

function elementwiseDef(spec: ElementwiseSpec, arity: number): OpDef<null> {
  const { rule = 'same', d, ...rest } = spec;
  const need = takes[rule];
  return defineOp<null>({
    kind: 'elementwise',
    arity,
    shape: arity === 1 ? src => src[0]!.shape : src => broadcastShapes(spec.name, shapesOf(src)),
    dtype: src => {
      const dt = src[src.length - 1]!.dtype;
      if (arity === 2 && src[0]!.dtype !== dt)
        throw new DTypeError(spec.name, 'both must have one dtype', `${src[0]!.dtype} and ${dt}`, '');
      if (!need.ok(dt))
        throw new DTypeError(spec.name, `it takes ${need.text}`, dt, 'convert with .to(dtype)');
      return rule === 'bool' ? 'bool' : dt;
    },
    hashAttrs: h => h,
    vjp: d ? (g, node, i) => d[i]?.(g, node.src, node) ?? null : null,
    ...rest,
  });
}

const shapesOf = (src: readonly Node[]): Shape[] => src.map(s => s.shape);

const named = <F>(f: F, def: OpDef<never> | OpDef<null>): F & { readonly def: OpDef<null> } =>
  Object.assign(f as object, { def }) as F & { readonly def: OpDef<null> };

export function unary(spec: ElementwiseSpec): UnaryOp {
  const def = elementwiseDef(spec, 1);
  return named((x: Node) => makeNode(def, [x], null, x.shape, def.dtype([x], null)), def);
}
export function binary(spec: ElementwiseSpec): BinaryOp {
  const def = elementwiseDef(spec, 2);
  return named((a: Node, b: Node) => {
    const src = [a, b];
    return makeNode(def, src, null, def.shape(src, null), def.dtype(src, null));
  }, def);
}
export function ternary(spec: ElementwiseSpec): TernaryOp {
  const def = elementwiseDef(spec, 3);
  return named((a: Node, b: Node, c: Node) => build(def, [a, b, c], null), def);
}

/** An op with attributes as its last argument. */
export function attributed<A>(def: OpDef<A>): ((x: Node, attrs: A) => Node<A>) & { readonly def: OpDef<A> } {
  return Object.assign((x: Node, attrs: A) => build(def, [x], attrs), { def });
}

export const describe = (n: Node): string => `${n.op.name}${showShape(n.shape)} ${n.dtype}`;
