// The selective scan as one op, and its gradient as another: defined by plain ops that hold all states, computed by kernels
// of their own that hold those of a few channels. Letters: N batch, L length, D channels, S states per channel.
// In: nodes. Out: nodes. Not its job: the code of the kernels (kernels/selective-scan.ts), other layouts (nn/functional).

import { DTypeError, ShapeError, showShape } from '../../base/errors.ts';
import { numel, type Shape, sameShape } from '../../base/shape.ts';
import type { Node } from '../node.ts';
import { build, defineOp, type OpDef, type OwnKernel, type Sample } from '../op.ts';
import type { Affine } from '../scalar.ts';
import { add, constLike, exp, mul } from './elementwise.ts';
import { narrow, pad, reshape } from './movement.ts';
import { expand, linearScan, neighbour, sum } from './reduce.ts';

export interface SelectiveScanAttrs {
  /** Which result: see the op. */
  readonly output: number;
}
type Sizes = { N: number; L: number; D: number; S: number };
function sizesOf([u, , A]: readonly Node[]): Sizes {
  const [N, L, D] = u!.shape as unknown as [number, number, number];
  return { N, L, D, S: A!.shape[1]! };
}

// ---- the definition ------------------------------------------------------------------------------------------------------

/** (N, L, D) or (N, L, S) along all channels and states. */
const perChannel = (x: Node): Node => reshape(x, [...x.shape, 1]);
const perState = (x: Node): Node => reshape(x, [x.shape[0]!, x.shape[1]!, 1, x.shape[2]!]);
/** What both directions need, each (N, L, D, S): decay e^{Δ A}, input Δ u B, the states. */
function states([u, dt, A, B]: readonly Node[]) {
  const { N, L, D, S } = sizesOf([u!, dt!, A!]);
  const all = [N, L, D, S];
  const decay = exp(mul(perChannel(dt!), A!));
  const x = perChannel(mul(dt!, u!)); // (N, L, D, 1)
  return { all, decay, x, h: linearScan(decay, expand(mul(x, perState(B!)), all), 1) };
}
/** The gradient of source i. */
function gradient(src: readonly Node[], i: number): Node {
  const [u, dt, A, B, C, g, gLast] = src as [Node, Node, Node, Node, Node, Node, Node];
  const { L } = sizesOf(src);
  const { all, decay, x, h } = states(src);
  const given = perChannel(g);
  if (i === 4) return sum(mul(given, h), [2], false);
  // λ_t = g_t C_t + a_{t+1} λ_{t+1}, to which the last state's gradient comes at the end.
  const last = pad(reshape(gLast, [all[0]!, 1, all[2]!, all[3]!]), [0, L - 1, 0, 0], [0, 0, 0, 0], 0);
  const inputs = add(mul(given, perState(C)), last);
  const lambda = linearScan(neighbour(decay, 1, true, 0), inputs, 1, true);
  if (i === 3) return sum(mul(lambda, x), [2], false);
  const ofInput = sum(mul(lambda, perState(B)), [3], false); // (N, L, D)
  if (i === 0) return mul(ofInput, dt);
  const ofExponent = mul(mul(lambda, neighbour(h, 1, false, 0)), decay);
  if (i === 2) return sum(mul(ofExponent, perChannel(dt)), [0, 1], false);
  return add(sum(mul(ofExponent, A), [3], false), mul(ofInput, u));
}

// ---- the kernels' loops --------------------------------------------------------------------------------------------------

const takes = (n: Node): boolean => n.src.every(s => s.dtype === 'float32' && numel(s.shape) > 0);
const loops = (n: Node): number[] => {
  const { N, L, D, S } = sizesOf(n.src);
  return [N, L, D, S];
};
/** Where sources and results are; what is read once per step and channel may be an expression. */
function places([n, t, d, s]: readonly Affine[]) {
  return { channel: [n!, t!, d!], state: [n!, t!, s!], factor: [d!, s!], last: [n!, d!, s!] };
}
function reads(at: readonly Affine[]) {
  const { channel, state, factor, last } = places(at);
  const inMemory = [channel, channel, factor, state, state].map((a, i) => ({ at: a, inMemory: i !== 2 }));
  return [...inMemory, { at: channel, inMemory: false }, { at: last, inMemory: false }];
}
const work = (n: Node, perElement: number): number => loops(n).reduce((p, x) => p * x, perElement);
export const selectiveScanKernel: OwnKernel<SelectiveScanAttrs> = {
  takes,
  loops,
  reads: (_, at) => reads(at).slice(0, 5),
  writes: (n, at) => (n.attrs.output === 0 ? places(at).channel : places(at).last),
  work: n => work(n, 6),
};
export const selectiveScanGradKernel: OwnKernel<SelectiveScanAttrs> = {
  takes,
  loops,
  reads: (_, at) => reads(at),
  writes: (n, at) => reads(at)[n.attrs.output]!.at,
  work: n => work(n, 18),
};

// ---- the records ---------------------------------------------------------------------------------------------------------

function checkShapes(name: string, src: readonly Node[]): void {
  const [u, dt, A, B, C] = src as [Node, Node, Node, Node, Node];
  if (u.shape.length === 3 && A.shape.length === 2) {
    const { N, L, D, S } = sizesOf(src);
    const each: [Node, Shape][] = [
      [dt, [N, L, D]],
      [A, [D, S]],
      [B, [N, L, S]],
      [C, [N, L, S]],
    ];
    if (each.every(([x, want]) => sameShape(x.shape, want))) return;
  }
  const got = [u, dt, A, B, C].map(x => showShape(x.shape)).join(', ');
  throw new ShapeError(name, 'u and Δ are (N, L, D), A (D, S), B and C (N, L, S)', got, '');
}
const oneDtype = (name: string) => (src: readonly Node[]) => {
  const { dtype } = src[0]!;
  if (src.every(s => s.dtype === dtype) && dtype.startsWith('float')) return dtype;
  const got = src.map(s => s.dtype).join(', ');
  throw new DTypeError(name, 'all are of one floating dtype', got, '');
};
const sample = (N: number, L: number, D: number, S: number, output: number, grads = false): Sample => ({
  shapes: [
    [N, L, D],
    [N, L, D],
    [D, S],
    [N, L, S],
    [N, L, S],
    ...(grads
      ? [
          [N, L, D],
          [N, D, S],
        ]
      : []),
  ],
  attrs: { output },
  range: [-1, 1],
});

export const selectiveScanDef: OpDef<SelectiveScanAttrs> = defineOp<SelectiveScanAttrs>({
  name: 'selectiveScan',
  doc: 'y_t = ⟨C_t, h_t⟩ of h_t = e^{Δ_t A} h_{t−1} + Δ_t B_t u_t, (N, L, D); as output 1 the last state, (N, D, S).',
  paper: 'Gu & Dao 2023 (arXiv 2312.00752), section 3.3 and algorithm 2',
  kind: 'composite',
  arity: 5,
  shape: (src, { output }) => {
    checkShapes('selectiveScan', src);
    const { N, L, D, S } = sizesOf(src);
    return output === 0 ? [N, L, D] : [N, D, S];
  },
  dtype: oneDtype('selectiveScan'),
  decompose: (src, { output }) => {
    const { N, L, D, S } = sizesOf(src);
    const { h } = states(src);
    if (output === 0) return sum(mul(h, perState(src[4]!)), [3], false);
    return L === 0 ? expand(constLike(src[0]!, 0), [N, D, S]) : reshape(narrow(h, 1, L - 1, 1), [N, D, S]);
  },
  kernel: selectiveScanKernel,
  vjp: (given, n, i) => {
    const { N, L, D, S } = sizesOf(n.src);
    const { output } = n.attrs;
    const none = (shape: Shape): Node => expand(constLike(n.src[0]!, 0), shape);
    const g = expand(given, n.shape);
    const grads = output === 0 ? [g, none([N, D, S])] : [none([N, L, D]), g];
    return build(selectiveScanGradDef, [...n.src, ...grads], { output: i });
  },
  cost: 100,
  samples: () => [
    sample(2, 5, 4, 3, 0),
    sample(1, 7, 3, 4, 0),
    { ...sample(2, 4, 8, 2, 1), flat: [4] },
    sample(0, 3, 4, 2, 0),
  ],
  errors: () => [
    {
      shapes: [
        [1, 2, 3],
        [1, 2, 3],
        [3, 4],
        [1, 2, 5],
        [1, 2, 4],
      ],
      attrs: { output: 0 },
      message: 'selectiveScan: u and Δ are (N, L, D), A (D, S), B and C (N, L, S), got',
    },
    {
      ...sample(1, 2, 3, 4, 0),
      dtypes: ['float32', 'float32', 'float64', 'float32', 'float32'],
      message: 'selectiveScan: all are of one floating dtype',
    },
  ],
});

export const selectiveScanGradDef: OpDef<SelectiveScanAttrs> = defineOp<SelectiveScanAttrs>({
  name: 'selectiveScanGrad',
  doc: 'The gradient of the selective scan for u, Δ, A, B or C (output 0 … 4), out of these, that of y, and that of the last state.',
  paper: 'Gu & Dao 2023 (arXiv 2312.00752), section 3.3.2: states are computed anew',
  kind: 'composite',
  arity: 7,
  shape: (src, { output }) => {
    checkShapes('selectiveScanGrad', src);
    return src[output]!.shape;
  },
  dtype: oneDtype('selectiveScanGrad'),
  decompose: (src, { output }) => gradient(src, output),
  kernel: selectiveScanGradKernel,
  cost: 300,
  samples: () =>
    [[0], [], [], [3], [4, 6]].map((flat, i) => ({
      ...sample(2, i === 2 ? 6 : 4, i === 1 ? 3 : 4, 2, i, true),
      flat,
    })),
});

/** y and the last state of u and Δ (N, L, D), A (D, S), B and C (N, L, S). */
export function selectiveScan(src: readonly [Node, Node, Node, Node, Node]): { y: Node; last: Node } {
  return {
    y: build(selectiveScanDef, src, { output: 0 }),
    last: build(selectiveScanDef, src, { output: 1 }),
  };
}
