// Elementwise ops: each record has its scalar body in machine ops and one gradient rule per source.
// Broadcasting is implicit: the gradient driver sums back to the source's shape.
// In: nodes of one dtype. Out: nodes. Not its job: promotion (tensor/operand.ts), fast float32 versions (codegen/math.ts).

import type { DType } from '../../base/dtype.ts';
import { DTYPES, isFloat } from '../../base/dtype.ts';
import { DTypeError } from '../../base/errors.ts';
import { ROTATIONS } from '../../base/rng.ts';
import type { Shape } from '../../base/shape.ts';
import type { Node } from '../node.ts';
import { hashShape, makeNode, mix } from '../node.ts';
import type { BinaryOp, OpDef, Sample, TernaryOp, UnaryOp } from '../op.ts';
import { attributed, binary, build, defineOp, ternary, unary } from '../op.ts';
import type { E, MathOp } from '../scalar.ts';
import { arg, checked, m } from '../scalar.ts';

// ---- sources ---------------------------------------------------------------------------------------------------

/** Realised data. */
export const dataDef: OpDef<null> = defineOp<null>({
  name: 'data',
  doc: 'Values that are already there.',
  kind: 'source',
  arity: 0,
  shape: () => [],
  dtype: () => 'float32',
  hashAttrs: h => h,
  differentiable: true,
  why: 'it is a leaf: its gradient goes to .grad',
});
export const dataNode = (shape: Shape, dtype: DType, device: string): Node =>
  makeNode(dataDef, [], null, shape, dtype, device);

/** The structural hash of any realised node: where its value came from no longer matters. */
export const dataHash = (shape: Shape, dtype: DType): number =>
  hashShape(mix(dataDef.id, DTYPES[dtype].code), shape);

interface ConstAttrs {
  readonly value: number | bigint;
  readonly dtype: DType;
}
const constDef: OpDef<ConstAttrs> = defineOp<ConstAttrs>({
  name: 'const',
  doc: 'One number that is part of the program.',
  kind: 'source',
  arity: 0,
  shape: () => [],
  dtype: (_, a) => a.dtype,
  scalar: (_, a) => m.const(a.value, DTYPES[a.dtype].compute),
  cost: 0,
});
export function constant(value: number | bigint, dtype: DType, device: string): Node {
  return makeNode(constDef, [], { value, dtype }, [], dtype, device);
}
export const constLike = (x: Node, value: number): Node => constant(value, x.dtype, x.device);
/** A number that stays. A node that has its value is memory, which an in-place method may fill anew. */
export const isConst = (n: Node, value?: number): boolean =>
  n.op === (constDef as OpDef<unknown>) &&
  n.value === null &&
  (value === undefined || Number((n.attrs as ConstAttrs).value) === value);
export const constValue = (n: Node): number | bigint => (n.attrs as ConstAttrs).value;

/** A host number that is evaluated anew at every run and never part of a plan's structure. */
export interface HostScalar {
  value(): number;
}
interface UniformAttrs {
  readonly scalar: HostScalar;
}
export const uniformDef: OpDef<UniformAttrs> = defineOp<UniformAttrs>({
  name: 'uniform',
  doc: 'A host number, evaluated at each run.',
  kind: 'source',
  arity: 0,
  shape: () => [],
  dtype: () => 'float32',
  hashAttrs: h => h,
  bound: true,
  cost: 0,
});
export function uniform(scalar: HostScalar, dtype: DType, device: string): Node {
  return makeNode(uniformDef, [], { scalar }, [], dtype, device);
}
export const scalarOf = (n: Node): HostScalar => (n.attrs as UniformAttrs).scalar;

interface IotaAttrs {
  readonly shape: Shape;
  readonly dtype: DType;
}
const iotaDef: OpDef<IotaAttrs> = defineOp<IotaAttrs>({
  name: 'iota',
  doc: 'The row-major position of each element: 0, 1, 2, …',
  kind: 'elementwise',
  arity: 0,
  shape: (_, a) => a.shape,
  dtype: (_, a) => a.dtype,
  usesPosition: true,
  scalar: ([i], a) => m.convert(i!, DTYPES[a.dtype].compute),
});
export const iota = (shape: Shape, dtype: DType, device: string): Node =>
  makeNode(iotaDef, [], { shape, dtype }, shape, dtype, device);

/** Threefry-2x32-20 on machine ops; the TypeScript of base/rng.ts, element by element. */
export function threefry(k0: E, k1: E, c0: E): [E, E] {
  const c = (v: number) => m.const(v, 'i32');
  const ks = [k0, k1, m.xor(m.xor(k0, k1), c(0x1bd11bda))];
  let x0 = m.add(c0, k0);
  let x1 = k1;
  for (let i = 0; i < 5; i++) {
    for (const r of ROTATIONS[i & 1]!) {
      x0 = m.add(x0, x1);
      x1 = m.xor(m.or(m.shl(x1, c(r)), m.shru(x1, c(32 - r))), x0);
    }
    x0 = m.add(x0, ks[(i + 1) % 3]!);
    x1 = m.add(m.add(x1, ks[(i + 2) % 3]!), c(i + 1));
  }
  return [x0, x1];
}

/** The upper 24 bits as a float in [0, 1). */
const unit = (bits: E): E =>
  m.mul(m.convert(m.shru(bits, m.const(8, 'i32')), 'f32'), m.const(2 ** -24, 'f32'));

interface RandomAttrs {
  readonly shape: Shape;
  readonly kind: 'uniform' | 'normal' | 'bits';
}
const randomDef: OpDef<RandomAttrs> = defineOp<RandomAttrs>({
  name: 'random',
  doc: 'Random numbers from a key (two words) and each element’s position: uniform in [0, 1), standard normal, or 31 bits.',
  kind: 'elementwise',
  arity: 2,
  shape: (_, a) => a.shape,
  dtype: (_, a) => (a.kind === 'bits' ? 'int32' : 'float32'),
  usesPosition: true,
  paper: 'Salmon et al. 2011 (Threefry); Box and Muller 1958',
  scalar: ([k0, k1, i], a) => {
    const [b0, b1] = threefry(k0!, k1!, i!);
    if (a.kind === 'bits') return m.shru(b0, m.const(1, 'i32'));
    if (a.kind === 'uniform') return unit(b0);
    // u in (0, 1] keeps the logarithm finite.
    const u = m.sub(m.const(1, 'f32'), unit(b0));
    const radius = m.sqrt(m.mul(m.const(-2, 'f32'), m.log(u)));
    return m.mul(radius, m.math('cos', m.mul(m.const(2 * Math.PI, 'f32'), unit(b1))));
  },
  // One key, one more dim: every example gets numbers of its own.
  batch: ([k0, k1], _, { attrs: a }, size) => random(k0!, k1!, [size, ...a.shape], a.kind),
  cost: 60,
});
export const random = (k0: Node, k1: Node, shape: Shape, kind: RandomAttrs['kind']): Node =>
  build(randomDef, [k0, k1], { shape, kind });

// ---- identities ------------------------------------------------------------------------------------------------

/** A leaf of autograd over a value that is not realised yet, and other no-ops that carry a meaning for gradients. */
export const alias: UnaryOp = unary({
  name: 'alias',
  doc: 'x itself; gradients pass.',
  scalar: ([x]) => x!,
  d: [g => g],
  cost: 0,
  linearIn: [0],
  samples: () => [{ shapes: [[2, 3]] }],
});
export const detach: UnaryOp = unary({
  name: 'detach',
  doc: 'x itself; gradients stop.',
  scalar: ([x]) => x!,
  why: 'it stops gradients: that is its purpose',
  cost: 0,
  samples: () => [{ shapes: [[2, 3]] }],
});

interface CastAttrs {
  readonly dtype: DType;
}
export const castDef: OpDef<CastAttrs> = defineOp<CastAttrs>({
  name: 'cast',
  doc: 'x converted to a dtype: floats to integers truncate, anything to bool is x ≠ 0.',
  kind: 'elementwise',
  shape: src => src[0]!.shape,
  dtype: (_, a) => a.dtype,
  scalar: ([x], a) => m.convert(x!, DTYPES[a.dtype].compute),
  vjp: (g, node) => cast(g, node.src[0]!.dtype),
  linearIn: [0],
  samples: () => [
    { shapes: [[3, 4]], attrs: { dtype: 'int32' }, wrt: [] },
    { shapes: [[5]], attrs: { dtype: 'bool' }, wrt: [] },
  ],
});
export function cast(x: Node, dtype: DType): Node {
  if (x.dtype === dtype) return x;
  const n = build(castDef, [x], { dtype });
  if (!isFloat(x.dtype)) n.needsGrad = false;
  return n;
}

// ---- shorthand for rules ---------------------------------------------------------------------------------------

const k = (x: Node, v: number): Node => constLike(x, v);
const one = (x: E): E => m.like(1, x);
const zero = (x: E): E => m.like(0, x);

/** Plain, one element, none, and enough for vector loops with a tail. */
const on =
  (
    range: readonly [number, number],
    kinks: readonly number[] = [],
    extra: Partial<Sample> = {},
  ): (() => Sample[]) =>
  () => [
    { shapes: [[3, 4]], range, kinks, ...extra },
    { shapes: [[]], range, kinks, ...extra },
    { shapes: [[0, 4]], range, kinks, ...extra },
    { shapes: [[35]], range, kinks, ...extra },
  ];
const anywhere = on([-2, 2]);
const positive = on([0.2, 3]);
const pairs =
  (range: readonly [number, number] = [-2, 2], extra: Partial<Sample> = {}): (() => Sample[]) =>
  () => [
    {
      shapes: [
        [3, 4],
        [3, 4],
      ],
      range,
      ...extra,
    },
    { shapes: [[3, 1], [4]], range, ...extra },
    { shapes: [[], [2, 5]], range, ...extra },
    { shapes: [[37], [1]], range, ...extra },
    {
      shapes: [
        [0, 4],
        [1, 4],
      ],
      range,
      ...extra,
    },
  ];
const badPair = (name: string) => () => [
  { shapes: [[2, 3], [4]], message: `${name}: shapes must be equal or broadcast` },
  {
    shapes: [[2], [2]],
    dtypes: ['float32', 'int32'] as const,
    message: `${name}: both must have one dtype, got float32 and int32`,
  },
];
const badDType = (name: string, dtypes: readonly DType[], message: string) => () => [
  { shapes: dtypes.map(() => [2]), dtypes, message: `${name}: ${message}` },
];

interface MathSpec {
  readonly name: MathOp;
  readonly doc: string;
  readonly d: (g: Node, x: Node, y: Node) => Node;
  /** Default 12. */
  readonly cost?: number;
  readonly samples: () => Sample[];
}
function mathOp({ name, doc, d, cost = 12, samples }: MathSpec): UnaryOp {
  return unary({
    name,
    doc,
    rule: 'float',
    scalar: ([x]) => m.math(name, x!),
    d: [(g, [x], y) => d(g, x!, y)],
    cost,
    samples,
    errors: () => [
      { shapes: [[2]], dtypes: ['int32'], message: `${name}: it takes a floating dtype, got int32` },
    ],
  });
}

// ---- arithmetic ------------------------------------------------------------------------------------------------

export const neg: UnaryOp = unary({
  name: 'neg',
  doc: '−x',
  rule: 'number',
  scalar: ([x]) => m.neg(x!),
  d: [g => neg(g)],
  linearIn: [0],
  samples: anywhere,
  errors: badDType('neg', ['bool'], 'it takes a numeric dtype, got bool'),
});
export const add: BinaryOp = binary({
  name: 'add',
  doc: 'a + b',
  scalar: ([a, b]) => (a!.type === 'b' ? m.or(a!, b!) : m.add(a!, b!)),
  d: [g => g, g => g],
  additive: true,
  samples: pairs(),
  errors: badPair('add'),
});
export const sub: BinaryOp = binary({
  name: 'sub',
  doc: 'a − b',
  rule: 'number',
  scalar: ([a, b]) => m.sub(a!, b!),
  d: [g => g, g => neg(g)],
  additive: true,
  samples: pairs(),
  errors: badPair('sub'),
});
export const mul: BinaryOp = binary({
  name: 'mul',
  doc: 'a · b',
  scalar: ([a, b]) => (a!.type === 'b' ? m.and(a!, b!) : m.mul(a!, b!)),
  d: [(g, [, b]) => mul(g, b!), (g, [a]) => mul(g, a!)],
  linearIn: [0, 1],
  samples: pairs(),
  errors: badPair('mul'),
});
export const div: BinaryOp = binary({
  name: 'div',
  doc: 'a / b',
  rule: 'float',
  scalar: ([a, b]) => m.div(a!, b!),
  d: [(g, [, b]) => div(g, b!), (g, [, b], y) => neg(mul(g, div(y, b!)))],
  linearIn: [0],
  cost: 4,
  samples: pairs([0.3, 3]),
  errors: badPair('div'),
});
export const square: UnaryOp = unary({
  name: 'square',
  doc: 'x²',
  rule: 'number',
  scalar: ([x]) => m.mul(x!, x!),
  d: [(g, [x]) => mul(g, mul(x!, k(x!, 2)))],
  samples: anywhere,
});
export const reciprocal: UnaryOp = unary({
  name: 'reciprocal',
  doc: '1 / x',
  rule: 'float',
  scalar: ([x]) => m.div(one(x!), x!),
  d: [(g, _, y) => neg(mul(g, square(y)))],
  cost: 4,
  samples: on([0.3, 3]),
  errors: badDType('reciprocal', ['int64'], 'it takes a floating dtype, got int64'),
});
export const sqrt: UnaryOp = unary({
  name: 'sqrt',
  doc: '√x',
  rule: 'float',
  scalar: ([x]) => m.sqrt(x!),
  d: [(g, _, y) => div(g, mul(y, k(y, 2)))],
  cost: 4,
  samples: positive,
  errors: badDType('sqrt', ['int64'], 'it takes a floating dtype, got int64'),
});
export const rsqrt: UnaryOp = unary({
  name: 'rsqrt',
  doc: '1 / √x',
  rule: 'float',
  scalar: ([x]) => m.div(one(x!), m.sqrt(x!)),
  d: [(g, _, y) => mul(mul(g, k(y, -0.5)), mul(y, square(y)))],
  cost: 8,
  samples: positive,
  errors: badDType('rsqrt', ['int64'], 'it takes a floating dtype, got int64'),
});
export const abs: UnaryOp = unary({
  name: 'abs',
  doc: '|x|',
  scalar: ([x]) => m.abs(x!),
  d: [(g, [x]) => mul(g, sign(x!))],
  samples: on([-2, 2], [0]),
});
export const sign: UnaryOp = unary({
  name: 'sign',
  doc: '−1, 0 or 1 by the sign of x; NaN stays',
  rule: 'number',
  scalar: ([x]) => m.select(m.lt(zero(x!), x!), one(x!), m.select(m.lt(x!, zero(x!)), m.like(-1, x!), x!)),
  samples: anywhere,
});

// ---- exponentials and trigonometry -----------------------------------------------------------------------------

export const exp: UnaryOp = mathOp({
  name: 'exp',
  doc: 'eˣ',
  d: (g, _, y) => mul(g, y),
  cost: 10,
  samples: anywhere,
});
/** For weights relative to the largest: a third cheaper than exp in float32, which has only subnormals from −87 down. */
export const expWeight: UnaryOp = mathOp({
  name: 'expWeight',
  doc: 'eˣ of x ≤ 0, and 0 from −87 down',
  d: (g, _, y) => mul(g, y),
  cost: 7,
  samples: on([-3, 0]),
});
export const expm1: UnaryOp = mathOp({
  name: 'expm1',
  doc: 'eˣ − 1',
  d: (g, _, y) => mul(g, add(y, k(y, 1))),
  samples: anywhere,
});
export const log: UnaryOp = mathOp({ name: 'log', doc: 'ln x', d: (g, x) => div(g, x), samples: positive });
export const log2: UnaryOp = mathOp({
  name: 'log2',
  doc: 'log₂ x',
  d: (g, x) => div(g, mul(x, k(x, Math.LN2))),
  samples: positive,
});
export const log10: UnaryOp = mathOp({
  name: 'log10',
  doc: 'log₁₀ x',
  d: (g, x) => div(g, mul(x, k(x, Math.LN10))),
  samples: positive,
});
export const log1p: UnaryOp = mathOp({
  name: 'log1p',
  doc: 'ln(1 + x)',
  d: (g, x) => div(g, add(x, k(x, 1))),
  samples: on([-0.7, 3]),
});
export const sin: UnaryOp = mathOp({
  name: 'sin',
  doc: 'sin x',
  d: (g, x) => mul(g, cos(x)),
  samples: anywhere,
});
export const cos: UnaryOp = mathOp({
  name: 'cos',
  doc: 'cos x',
  d: (g, x) => neg(mul(g, sin(x))),
  samples: anywhere,
});
export const tan: UnaryOp = mathOp({
  name: 'tan',
  doc: 'tan x',
  d: (g, _, y) => mul(g, add(square(y), k(y, 1))),
  cost: 40,
  samples: on([-1.2, 1.2]),
});
export const asin: UnaryOp = mathOp({
  name: 'asin',
  doc: 'arcsin x',
  d: (g, x) => mul(g, rsqrt(sub(k(x, 1), square(x)))),
  cost: 40,
  samples: on([-0.9, 0.9]),
});
export const acos: UnaryOp = mathOp({
  name: 'acos',
  doc: 'arccos x',
  d: (g, x) => neg(mul(g, rsqrt(sub(k(x, 1), square(x))))),
  cost: 40,
  samples: on([-0.9, 0.9]),
});
export const atan: UnaryOp = mathOp({
  name: 'atan',
  doc: 'arctan x',
  d: (g, x) => div(g, add(square(x), k(x, 1))),
  cost: 40,
  samples: anywhere,
});
export const sinh: UnaryOp = mathOp({
  name: 'sinh',
  doc: 'sinh x',
  d: (g, x) => mul(g, cosh(x)),
  cost: 40,
  samples: anywhere,
});
export const cosh: UnaryOp = mathOp({
  name: 'cosh',
  doc: 'cosh x',
  d: (g, x) => mul(g, sinh(x)),
  cost: 40,
  samples: anywhere,
});
export const tanh: UnaryOp = mathOp({
  name: 'tanh',
  doc: 'tanh x',
  d: (g, _, y) => mul(g, sub(k(y, 1), square(y))),
  cost: 14,
  samples: anywhere,
});
export const asinh: UnaryOp = mathOp({
  name: 'asinh',
  doc: 'arsinh x',
  d: (g, x) => mul(g, rsqrt(add(square(x), k(x, 1)))),
  cost: 40,
  samples: anywhere,
});
export const acosh: UnaryOp = mathOp({
  name: 'acosh',
  doc: 'arcosh x',
  d: (g, x) => mul(g, rsqrt(sub(square(x), k(x, 1)))),
  cost: 40,
  samples: on([1.2, 3]),
});
export const atanh: UnaryOp = mathOp({
  name: 'atanh',
  doc: 'artanh x',
  d: (g, x) => div(g, sub(k(x, 1), square(x))),
  cost: 40,
  samples: on([-0.9, 0.9]),
});
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
export const erf: UnaryOp = mathOp({
  name: 'erf',
  doc: '2/√π ∫₀ˣ e^{−t²} dt',
  d: (g, x) => mul(g, mul(exp(neg(square(x))), k(x, TWO_OVER_SQRT_PI))),
  cost: 16,
  samples: anywhere,
});
export const erfc: UnaryOp = mathOp({
  name: 'erfc',
  doc: '1 − erf x, exact for large x',
  d: (g, x) => mul(g, mul(exp(neg(square(x))), k(x, -TWO_OVER_SQRT_PI))),
  cost: 60,
  samples: anywhere,
});
export const erfinv: UnaryOp = mathOp({
  name: 'erfinv',
  doc: 'the x with erf x = y',
  d: (g, _, y) => mul(g, mul(exp(square(y)), k(y, 1 / TWO_OVER_SQRT_PI))),
  cost: 60,
  samples: on([-0.9, 0.9]),
});
export const lgamma: UnaryOp = mathOp({
  name: 'lgamma',
  doc: 'ln |Γ(x)|',
  d: (g, x) => mul(g, digamma(x)),
  cost: 60,
  samples: positive,
});
export const digamma: UnaryOp = mathOp({
  name: 'digamma',
  doc: 'd/dx ln Γ(x)',
  d: (g, x) => mul(g, polygamma(x, { n: 1 })),
  cost: 60,
  samples: positive,
});

interface PolygammaAttrs {
  readonly n: number;
}
export const polygammaDef: OpDef<PolygammaAttrs> = defineOp<PolygammaAttrs>({
  name: 'polygamma',
  doc: 'the n-th derivative of digamma',
  kind: 'elementwise',
  shape: src => src[0]!.shape,
  dtype: src => floatOnly('polygamma', src[0]!.dtype),
  scalar: ([x], a) => m.math('polygamma', m.like(a.n, x!), x!),
  vjp: (g, node) => mul(g, polygamma(node.src[0]!, { n: node.attrs.n + 1 })),
  cost: 80,
  samples: () => [
    { shapes: [[3, 4]], attrs: { n: 1 }, range: [0.5, 3] },
    { shapes: [[5]], attrs: { n: 2 }, range: [0.5, 3] },
  ],
  errors: badDType('polygamma', ['int32'], 'it takes a floating dtype, got int32'),
});
export const polygamma: (x: Node, attrs: PolygammaAttrs) => Node = attributed(polygammaDef);

function floatOnly(op: string, d: DType): DType {
  if (!isFloat(d)) throw new DTypeError(op, 'it takes a floating dtype', d, 'convert with .to(dtype)');
  return d;
}

// ---- rounding --------------------------------------------------------------------------------------------------

const roundings = on([-2.9, 2.9], [-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5], { flat: [0] });
type Described<N extends string> = { readonly name: N; readonly doc: string };
const rounding = ({ name, doc }: Described<'floor' | 'ceil' | 'trunc' | 'round'>): UnaryOp =>
  unary({
    name,
    doc,
    rule: 'number',
    scalar: ([x]) =>
      x!.type === 'i32' || x!.type === 'i64' ? x! : name === 'round' ? m.nearest(x!) : m[name](x!),
    // Constant almost everywhere, so the gradient is a true zero and not a missing one (as in PyTorch).
    d: [g => mul(g, k(g, 0))],
    samples: roundings,
  });
export const floor: UnaryOp = rounding({ name: 'floor', doc: 'the largest integer ≤ x' });
export const ceil: UnaryOp = rounding({ name: 'ceil', doc: 'the smallest integer ≥ x' });
export const trunc: UnaryOp = rounding({ name: 'trunc', doc: 'x without its fraction' });
export const round: UnaryOp = rounding({ name: 'round', doc: 'the nearest integer, half to even' });

// ---- activations with a kernel of one instruction or a rule worth writing ------------------------------------------

export const relu: UnaryOp = unary({
  name: 'relu',
  doc: 'max(0, x)',
  rule: 'number',
  scalar: ([x]) => m.pmax(x!, zero(x!)),
  d: [(g, _, y) => positiveMask(g, y)],
  samples: () => [
    ...on([-2, 2], [0])().slice(2),
    ...on([0.2, 2])().slice(0, 2),
    { shapes: [[3, 4]], kinks: [0] },
  ],
});
/** The gradient of relu. */
export const positiveMask: BinaryOp = binary({
  name: 'positiveMask',
  doc: 'g where y > 0, else 0',
  scalar: ([g, y]) => m.select(m.lt(zero(y!), y!), g!, zero(g!)),
  d: [(h, [, y]) => positiveMask(h, y!), g => mul(g, k(g, 0))],
  linearIn: [0],
  samples: () => [
    ...pairs([-2, 2], { kinks: [0], flat: [1] })().filter(x => x.shapes[1]!.length > 1),
    { shapes: [[37], [37]], flat: [1], kinks: [0] },
  ],
});
export const sigmoid: UnaryOp = unary({
  name: 'sigmoid',
  doc: '1 / (1 + e⁻ˣ)',
  rule: 'float',
  scalar: ([x]) => m.div(one(x!), m.add(one(x!), m.exp(m.neg(x!)))),
  d: [(g, _, y) => mul(g, mul(y, sub(k(y, 1), y)))],
  cost: 14,
  samples: anywhere,
  errors: badDType('sigmoid', ['int64'], 'it takes a floating dtype, got int64'),
});

// ---- two numbers -----------------------------------------------------------------------------------------------

const nanSafeEq = (a: Node, b: Node): Node => eq(a, b);
const half = (g: Node, a: Node, b: Node, wins: Node): Node =>
  where(nanSafeEq(a, b), mul(g, k(g, 0.5)), where(wins, g, k(g, 0)));

export const maximum: BinaryOp = binary({
  name: 'maximum',
  doc: 'the larger of a and b; NaN wins; equal values share the gradient',
  scalar: ([a, b]) => m.max(a!, b!),
  d: [(g, [a, b]) => half(g, a!, b!, gt(a!, b!)), (g, [a, b]) => half(g, a!, b!, lt(a!, b!))],
  cost: 2,
  samples: pairs(),
  errors: badPair('maximum'),
});
export const minimum: BinaryOp = binary({
  name: 'minimum',
  doc: 'the smaller of a and b; NaN wins; equal values share the gradient',
  scalar: ([a, b]) => m.min(a!, b!),
  d: [(g, [a, b]) => half(g, a!, b!, lt(a!, b!)), (g, [a, b]) => half(g, a!, b!, gt(a!, b!))],
  cost: 2,
  samples: pairs(),
  errors: badPair('minimum'),
});
export const clampMin: BinaryOp = binary({
  name: 'clampMin',
  doc: 'x raised to at least lo; on the bound the gradient goes to x',
  scalar: ([x, lo]) => m.max(x!, lo!),
  d: [(g, [x, lo]) => where(ge(x!, lo!), g, k(g, 0)), (g, [x, lo]) => where(lt(x!, lo!), g, k(g, 0))],
  cost: 2,
  samples: pairs(),
  errors: badPair('clampMin'),
});
export const clampMax: BinaryOp = binary({
  name: 'clampMax',
  doc: 'x lowered to at most hi; on the bound the gradient goes to x',
  scalar: ([x, hi]) => m.min(x!, hi!),
  d: [(g, [x, hi]) => where(le(x!, hi!), g, k(g, 0)), (g, [x, hi]) => where(gt(x!, hi!), g, k(g, 0))],
  cost: 2,
  samples: pairs(),
  errors: badPair('clampMax'),
});
export const pow: BinaryOp = binary({
  name: 'pow',
  doc: 'aᵇ',
  rule: 'number',
  scalar: ([a, b]) => (a!.type === 'f32' || a!.type === 'f64' ? m.math('pow', a!, b!) : intPow(a!, b!)),
  d: [
    (g, [a, b]) => where(eq(b!, k(b!, 0)), k(g, 0), mul(g, mul(b!, pow(a!, sub(b!, k(b!, 1)))))),
    (g, [a, b], y) => where(logicalAnd(eq(a!, k(a!, 0)), ge(b!, k(b!, 0))), k(g, 0), mul(g, mul(y, log(a!)))),
  ],
  cost: 60,
  samples: pairs([0.4, 2]),
  errors: badPair('pow'),
});
/** Integer powers by repeated squaring: 31 steps without a branch; negative exponents give 0 but for ±1. */
function intPow(a: E, b: E): E {
  let result = one(a);
  let base = a;
  let rest = b;
  const bits = a.type === 'i64' ? 6 : 5;
  for (let i = 0; i < bits; i++) {
    result = m.mul(result, m.select(m.eq(m.and(rest, one(b)), one(b)), base, one(a)));
    base = m.mul(base, base);
    rest = m.shru(rest, one(b));
  }
  const odd = m.eq(m.and(b, one(b)), one(b));
  const minusOne = m.eq(a, m.like(-1, a));
  const negative = m.select(m.eq(a, one(a)), a, m.select(minusOne, m.select(odd, a, one(a)), zero(a)));
  return m.select(m.lt(b, zero(b)), negative, result);
}

/** Codes of run-time checks; runtime/status.ts has their texts. */
export const CHECK = { divideByZero: 1, index: 2, label: 3 } as const;
const divisor = (b: E): E =>
  b.type === 'i32' || b.type === 'i64' ? checked(b, m.ne(b, zero(b)), CHECK.divideByZero, 1) : b;
const divides = 'an integer divided by zero';

export const fmod: BinaryOp = binary({
  name: 'fmod',
  doc: 'a − trunc(a/b)·b: the remainder with the sign of a',
  rule: 'number',
  scalar: ([a, b]) => m.rem(a!, divisor(b!)),
  d: [g => g, (g, [a, b]) => neg(mul(g, trunc(div(a!, b!))))],
  raises: divides,
  cost: 30,
  samples: () => [...pairs([0.6, 0.9])(), { shapes: [[5, 7], [7]], kinks: [0] }],
  errors: badPair('fmod'),
});
export const remainder: BinaryOp = binary({
  name: 'remainder',
  doc: 'a − floor(a/b)·b: the remainder with the sign of b, Python’s %',
  rule: 'number',
  scalar: ([a, b]) => floorRem(a!, divisor(b!)),
  d: [g => g, (g, [a, b]) => neg(mul(g, floor(div(a!, b!))))],
  raises: divides,
  cost: 30,
  samples: () => [...pairs([0.6, 0.9])(), { shapes: [[5, 7], [7]], kinks: [0] }],
  errors: badPair('remainder'),
});
function floorRem(a: E, b: E): E {
  const r = m.rem(a, b);
  const wrong = m.and(m.ne(r, zero(r)), m.xor(m.lt(r, zero(r)), m.lt(b, zero(b))));
  return m.select(wrong, m.add(r, b), r);
}
export const floorDiv: BinaryOp = binary({
  name: 'floorDiv',
  doc: 'floor(a / b), Python’s //: computed from the exact remainder',
  rule: 'number',
  scalar: ([a, b0]) => {
    const b = divisor(b0!);
    const r = m.rem(a!, b);
    const wrong = m.and(m.ne(r, zero(r)), m.xor(m.lt(r, zero(r)), m.lt(b, zero(b))));
    if (a!.type === 'i32' || a!.type === 'i64') {
      const q = m.div(a!, b);
      return m.select(wrong, m.sub(q, one(q)), q);
    }
    const q = m.div(m.sub(a!, r), b);
    const down = m.nearest(m.select(wrong, m.sub(q, one(q)), q));
    return m.select(m.eq(b, zero(b)), m.div(a!, b), down);
  },
  raises: divides,
  d: [g => mul(g, k(g, 0)), g => mul(g, k(g, 0))],
  cost: 30,
  samples: () => [
    ...pairs([0.6, 0.9], { flat: [0, 1] })(),
    { shapes: [[5, 7], [7]], kinks: [0], flat: [0, 1] },
  ],
  errors: badPair('floorDiv'),
});
export const truncDiv: BinaryOp = binary({
  name: 'truncDiv',
  doc: 'trunc(a / b)',
  rule: 'number',
  scalar: ([a, b]) =>
    a!.type === 'i32' || a!.type === 'i64' ? m.div(a!, divisor(b!)) : m.trunc(m.div(a!, b!)),
  raises: divides,
  d: [g => mul(g, k(g, 0)), g => mul(g, k(g, 0))],
  cost: 6,
  samples: () => [
    ...pairs([0.6, 0.9], { flat: [0, 1] })(),
    { shapes: [[5, 7], [7]], kinks: [0], flat: [0, 1] },
  ],
  errors: badPair('truncDiv'),
});
export const atan2: BinaryOp = binary({
  name: 'atan2',
  doc: 'the angle of the point (b, a)',
  rule: 'float',
  scalar: ([a, b]) => m.math('atan2', a!, b!),
  d: [
    (g, [a, b]) => mul(g, div(b!, add(square(a!), square(b!)))),
    (g, [a, b]) => neg(mul(g, div(a!, add(square(a!), square(b!))))),
  ],
  cost: 40,
  samples: () => [...pairs([0.3, 2])(), { shapes: [[5, 7], [7]], kinks: [0] }],
  errors: badPair('atan2'),
});
export const hypot: BinaryOp = binary({
  name: 'hypot',
  doc: '√(a² + b²), without overflow on the way',
  rule: 'float',
  scalar: ([a, b]) => {
    const x = m.abs(a!);
    const y = m.abs(b!);
    const big = m.max(x, y);
    const ratio = m.div(m.min(x, y), big);
    const h = m.mul(big, m.sqrt(m.add(one(big), m.mul(ratio, ratio))));
    const inf = m.like(Number.POSITIVE_INFINITY, big);
    return m.select(m.eq(big, zero(big)), big, m.select(m.eq(big, inf), big, h));
  },
  d: [(g, [a], y) => mul(g, div(a!, y)), (g, [, b], y) => mul(g, div(b!, y))],
  cost: 12,
  samples: () => [...pairs([0.3, 2])(), { shapes: [[5, 7], [7]], kinks: [0] }],
  errors: badPair('hypot'),
});
export const logaddexp: BinaryOp = binary({
  name: 'logaddexp',
  doc: 'ln(eᵃ + eᵇ), without overflow',
  rule: 'float',
  scalar: ([a, b]) => logAddExp(a!, b!),
  d: [(g, [a, b]) => mul(g, sigmoid(sub(a!, b!))), (g, [a, b]) => mul(g, sigmoid(sub(b!, a!)))],
  cost: 30,
  samples: pairs(),
  errors: badPair('logaddexp'),
});
export function logAddExp(a: E, b: E): E {
  // NaN comes back with the difference.
  const big = m.pmax(a, b);
  const gap = m.neg(m.abs(m.sub(a, b)));
  const f32 = a.type === 'f32';
  const sum = m.add(big, f32 ? m.math('log1pWeight', m.math('expWeight', gap)) : m.math('log1p', m.exp(gap)));
  // Equal infinities: their difference is NaN, the answer is the infinity.
  return m.select(m.and(m.eq(a, b), m.eq(m.abs(a), m.like(Number.POSITIVE_INFINITY, a))), a, sum);
}
export const copysign: BinaryOp = binary({
  name: 'copysign',
  doc: '|a| with the sign of b',
  rule: 'float',
  scalar: ([a, b]) => m.copysign(a!, b!),
  d: [(g, [a, b]) => mul(g, mul(sign(a!), copysign(k(b!, 1), b!))), g => mul(g, k(g, 0))],
  samples: pairs([-2, 2], { kinks: [0], flat: [1] }),
  errors: badPair('copysign'),
});

// ---- comparison, logic, bits -----------------------------------------------------------------------------------

const comparison = ({ name, doc }: Described<'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'>): BinaryOp =>
  binary({
    name,
    doc,
    rule: 'bool',
    scalar: ([a, b]) =>
      a!.type === 'b' ? m[name](m.convert(a!, 'i32'), m.convert(b!, 'i32')) : m[name](a!, b!),
    samples: pairs(),
  });
export const eq: BinaryOp = comparison({ name: 'eq', doc: 'a = b' });
export const ne: BinaryOp = comparison({ name: 'ne', doc: 'a ≠ b' });
export const lt: BinaryOp = comparison({ name: 'lt', doc: 'a < b' });
export const le: BinaryOp = comparison({ name: 'le', doc: 'a ≤ b' });
export const gt: BinaryOp = comparison({ name: 'gt', doc: 'a > b' });
export const ge: BinaryOp = comparison({ name: 'ge', doc: 'a ≥ b' });

const bools =
  (n: number): (() => Sample[]) =>
  () => [
    { shapes: Array(n).fill([3, 4]), dtypes: Array(n).fill('bool') },
    { shapes: n === 1 ? [[5]] : [[3, 1], [4]], dtypes: Array(n).fill('bool') },
    { shapes: Array(n).fill([67]), dtypes: Array(n).fill('bool') },
    { shapes: Array(n).fill([0, 4]), dtypes: Array(n).fill('bool') },
  ];
const ints =
  (n: number): (() => Sample[]) =>
  () => [
    { shapes: Array(n).fill([3, 4]), dtypes: Array(n).fill('int32'), range: [0, 20] },
    { shapes: Array(n).fill([5]), dtypes: Array(n).fill('int64'), range: [0, 20] },
    { shapes: Array(n).fill([37]), dtypes: Array(n).fill('int32'), range: [0, 20] },
    { shapes: Array(n).fill([0]), dtypes: Array(n).fill('int64'), range: [0, 20] },
  ];
export const logicalNot: UnaryOp = unary({
  name: 'logicalNot',
  doc: 'not x, of a bool',
  rule: 'intOrBool',
  scalar: ([x]) => m.not(x!),
  samples: bools(1),
});
interface BitsSpec extends Described<string> {
  readonly body: (a: E, b: E) => E;
  readonly samples: () => Sample[];
}
const bits = ({ name, doc, body, samples }: BitsSpec): BinaryOp =>
  binary({
    name,
    doc,
    rule: 'intOrBool',
    scalar: ([a, b]) => body(a!, b!),
    samples,
    errors: badDType(name, ['float32', 'float32'], 'it takes an integer or bool dtype, got float32'),
  });
export const logicalAnd: BinaryOp = bits({
  name: 'logicalAnd',
  doc: 'a and b, of bools',
  body: m.and,
  samples: bools(2),
});
export const logicalOr: BinaryOp = bits({
  name: 'logicalOr',
  doc: 'a or b, of bools',
  body: m.or,
  samples: bools(2),
});
export const logicalXor: BinaryOp = bits({
  name: 'logicalXor',
  doc: 'a or b but not both, of bools',
  body: m.xor,
  samples: bools(2),
});
export const bitwiseNot: UnaryOp = unary({
  name: 'bitwiseNot',
  doc: 'every bit of x turned',
  rule: 'intOrBool',
  scalar: ([x]) => m.not(x!),
  samples: ints(1),
  errors: badDType('bitwiseNot', ['float32'], 'it takes an integer or bool dtype, got float32'),
});
export const bitwiseAnd: BinaryOp = bits({
  name: 'bitwiseAnd',
  doc: 'the bits set in both',
  body: m.and,
  samples: ints(2),
});
export const bitwiseOr: BinaryOp = bits({
  name: 'bitwiseOr',
  doc: 'the bits set in either',
  body: m.or,
  samples: ints(2),
});
export const bitwiseXor: BinaryOp = bits({
  name: 'bitwiseXor',
  doc: 'the bits set in one of them',
  body: m.xor,
  samples: ints(2),
});
export const bitwiseLeftShift: BinaryOp = bits({
  name: 'bitwiseLeftShift',
  doc: 'a · 2ᵇ on bits',
  body: m.shl,
  samples: ints(2),
});
export const bitwiseRightShift: BinaryOp = bits({
  name: 'bitwiseRightShift',
  doc: 'a / 2ᵇ on bits, keeping the sign',
  body: m.shr,
  samples: ints(2),
});

export const where: TernaryOp = ternary({
  name: 'where',
  doc: 'a where the condition holds, else b',
  dtype: ([c, a, b]) => {
    if (c!.dtype !== 'bool')
      throw new DTypeError('where', 'the condition must be bool', c!.dtype, 'compare first');
    if (a!.dtype !== b!.dtype)
      throw new DTypeError('where', 'both must have one dtype', `${a!.dtype} and ${b!.dtype}`, '');
    return a!.dtype;
  },
  scalar: ([c, a, b]) => m.select(c!, a!, b!),
  d: [null, (g, [c]) => where(c!, g, k(g, 0)), (g, [c]) => where(c!, k(g, 0), g)],
  samples: () => [
    {
      shapes: [
        [3, 4],
        [3, 4],
        [3, 4],
      ],
      dtypes: ['bool', 'float32', 'float32'],
    },
    { shapes: [[3, 1], [4], []], dtypes: ['bool', 'float32', 'float32'] },
    { shapes: [[37], [37], [1]], dtypes: ['bool', 'float32', 'float32'] },
    { shapes: [[0, 4], [4], [0, 1]], dtypes: ['bool', 'float32', 'float32'] },
  ],
  errors: () => [
    { shapes: [[2], [2], [2]], message: 'where: the condition must be bool, got float32' },
    {
      shapes: [[2], [2], [2]],
      dtypes: ['bool', 'float32', 'int32'],
      message: 'where: both must have one dtype, got float32 and int32',
    },
    {
      shapes: [[2], [3], [2]],
      dtypes: ['bool', 'float32', 'float32'],
      message: 'where: shapes must be equal or broadcast',
    },
  ],
});

/** What small integers need after each operation: the value that fits the width. */
export function wrapNarrow(x: E, dtype: DType): E {
  const c = (v: number) => m.const(v, 'i32');
  if (dtype === 'uint8') return m.and(x, c(255));
  const shift = dtype === 'int8' ? 24 : dtype === 'int16' ? 16 : 0;
  return shift === 0 ? x : m.shr(m.shl(x, c(shift)), c(shift));
}

/** The element of a node as a machine expression of its arguments (and its position, where it uses one). */
export function elementOf(n: Node, args: readonly E[]): E {
  const e = n.op.scalar!(args, n.attrs, n.dtype);
  return n.op.kind === 'elementwise' ? wrapNarrow(e, n.dtype) : e;
}
export const argOf = (n: Node, i: number): E => arg(i, DTYPES[n.src[i]!.dtype].compute);
