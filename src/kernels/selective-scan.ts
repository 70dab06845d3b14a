// The selective scan channel by channel: states live in working memory that stays in the cache, whatever the length; the
// gradient computes them anew. Four channels run side by side in a vector, so that sums over states stay within a lane.
// In: the call of a kernel. Out: functions and tasks. Letters as in ir/ops/selective-scan.ts.

import type { Acc, LoopProgram, Stmt } from '../codegen/loop.ts';
import { expFlushed } from '../codegen/math.ts';
import { emitLoops } from '../codegen/wasm.ts';
import type { Target } from '../codegen/wasm-target.ts';
import { Dependence } from '../codegen/widen.ts';
import { selectiveScanGradKernel, selectiveScanKernel } from '../ir/ops/selective-scan.ts';
import {
  type Affine,
  accOf,
  addScaled,
  asAffine,
  constAffine,
  type E,
  indexOf,
  LoopVar,
  lane,
  load,
  m,
  rebuild,
  splat,
  varOf,
  withExprs,
} from '../ir/scalar.ts';
import type { GemmOperand, OwnKernelCall } from '../schedule/kernel.ts';
import { coefficient } from './gemm-pack.ts';
import { provideCode } from './own.ts';
import { cutRange, type Piece, type Pieces } from './pieces.ts';

/** Nanoseconds of an element, about: for cutting into tasks only. */
const NS_FORWARD = 0.8;
const NS_GRADIENT = 2;
/** Tasks of the gradient: each has memory for the states of a few channels, and sums over channels. */
const GRADIENT_TASKS = 16;
/** Rows of vectors that are left at least when some of them go side by side. */
const ENOUGH_ROWS = 16;

/** eˣ for exponents that are hardly ever positive: 0 below −87, and no more than e⁸⁸. */
const decayOf = (x: E): E => expFlushed(m.pmin(x, m.const(88, 'f32')));
const int = (x: number): E => m.const(x, 'i32');
type Term = readonly [E | LoopVar, number];
const place = (c: number, ...terms: readonly Term[]): Affine =>
  terms.reduce((a, [x, k]) => addScaled(a, asAffine(x instanceof LoopVar ? varOf(x) : x), k), constAffine(c));

/** What both directions share: the loops, vectors of channels, working memory. */
class Scan {
  readonly call: OwnKernelCall;
  readonly n: LoopVar;
  readonly t: LoopVar;
  readonly d: LoopVar;
  readonly s: LoopVar;
  /** Channels of a vector, and vectors of channels. */
  readonly lanes: 1 | 4;
  readonly rows: number;
  readonly elements: number;
  readonly begin: Acc;
  readonly end: Acc;
  private readonly target: Target;
  private readonly deps = new Dependence();
  private readonly scratch: number[] = [];
  private readonly pieces: Piece[] = [];
  private accs = 0;

  constructor(call: OwnKernelCall, target: Target) {
    this.call = call;
    this.target = target;
    [this.n, this.t, this.d, this.s] = call.vars as [LoopVar, LoopVar, LoopVar, LoopVar];
    this.lanes = this.d.size % 4 === 0 ? 4 : 1;
    this.rows = this.d.size / this.lanes;
    this.elements = this.n.size * this.t.size * this.d.size * this.s.size;
    this.begin = this.acc('i32', 1);
    this.end = this.acc('i32', 1);
  }

  acc(type: E['type'] = 'f32', lanes: 1 | 4 = this.lanes): Acc {
    return { id: this.accs++, type, lanes };
  }
  read(a: Acc): E {
    return accOf(a.id, a.type, a.lanes);
  }
  /** Zero for each channel of a vector. */
  get zero(): E {
    const zero = m.const(0, 'f32');
    return this.lanes === 4 ? splat(zero) : zero;
  }
  /** Source i for the channels from d on, or from so many vectors further on. */
  input(i: number, ahead = 0): E {
    const e = this.call.inputs[i]!;
    const wide = this.lanes === 4 ? splat(this.deps.widen(e, this.d)) : e;
    if (ahead === 0) return wide;
    const further = indexOf(place(ahead * this.lanes, [this.d, 1]));
    return rebuild(wide, x => (x === varOf(this.d) ? further : null), new Map());
  }
  /** Working memory of so many vectors; returns its buffer. */
  reserve(vectors: number): number {
    return this.call.buffers.length + this.scratch.push(vectors * this.lanes * 4 + 64) - 1;
  }
  /** A vector in working memory: the index counts vectors. */
  private whole(at: Affine): Affine {
    return addScaled(constAffine(0), at, this.lanes);
  }
  vector(buffer: number, at: Affine): E {
    const step = this.lanes === 4 ? 1 : 0;
    return load(buffer, this.whole(at), 'float32', 'f32', null, this.lanes, step);
  }
  keep(buffer: number, at: Affine, value: E): Stmt {
    return { kind: 'store', buffer, at: this.whole(at), dtype: 'float32', value, step: 1 };
  }
  /** A result for the channels from d on, or from so many vectors further on. */
  result({ buffer, at }: GemmOperand, value: E, ahead = 0): Stmt {
    const k = coefficient(at, this.d);
    const here = addScaled(at, constAffine(1), ahead * this.lanes * k);
    return { kind: 'store', buffer, at: here, dtype: 'float32', value, step: this.lanes === 4 ? k : 1 };
  }
  for(v: LoopVar, from: E, to: E, body: readonly Stmt[]): Stmt {
    return { kind: 'for', v, from, to, variants: [{ step: 1, body }] };
  }
  times(v: LoopVar, body: readonly Stmt[]): Stmt {
    return this.for(v, int(0), int(v.size), body);
  }
  /** What is done with each state. */
  states(body: readonly Stmt[]): Stmt {
    return this.times(this.s, body);
  }
  /** From the steps of a body to a function with its tasks. */
  add(body: readonly Stmt[], range: number, tasks: Piece['tasks'], ns: number): void {
    const { call, begin, end } = this;
    const program: LoopProgram = { body, range, begin, end, scratch: 0 };
    const words = call.buffers.length + this.scratch.length;
    this.pieces.push({ emitted: emitLoops(program, call.exprs, words, this.target), tasks, ns });
  }
  done(): Pieces {
    return { pieces: this.pieces, scratch: this.scratch };
  }
}

function forward(call: OwnKernelCall, target: Target): Pieces {
  const k = new Scan(call, target);
  const { n, t, d, s, rows } = k;
  const [y, last] = [call.outputs[0] ?? null, call.outputs[1] ?? null];
  // Vectors side by side use whole lines of the cache and read B and C once, where enough rows are left to share.
  const V = [4, 2].find(v => rows % v === 0 && (n.size * rows) / v >= ENOUGH_ROWS) ?? 1;
  const side = Array.from({ length: V }, (_, j) => j);
  const blocks = rows / V;
  const range = n.size * blocks;
  const ns = k.elements * NS_FORWARD;
  const tasks = cutRange(range, ns, 1);
  const each = tasks[0]![1];
  const [factors, state] = [0, 1].map(() => k.reserve(tasks.length * s.size * V)) as [number, number];
  const region: Term = [m.div(k.read(k.begin), int(each)), s.size * V];

  const block = new LoopVar(range);
  const h = k.acc();
  const [dt, x, sum] = [0, 1, 2].map(() => side.map(() => k.acc())) as [Acc[], Acc[], Acc[]];
  const here = side.map(j => place(j, region, [s, V]));
  const [b, c] = [k.input(3), k.input(4)];
  const steps: Stmt[] = [
    {
      kind: 'set',
      accs: [...dt, ...x, ...sum],
      values: [
        ...side.map(j => k.input(1, j)),
        ...side.map(j => m.mul(k.input(1, j), k.input(0, j))),
        ...side.map(() => k.zero),
      ],
    },
    k.states(
      side.flatMap(j => {
        const decay = decayOf(m.mul(k.read(dt[j]!), k.vector(factors, here[j]!)));
        const next = m.fma(decay, k.vector(state, here[j]!), m.mul(k.read(x[j]!), b));
        return [
          { kind: 'set', accs: [h], values: [next] },
          k.keep(state, here[j]!, k.read(h)),
          { kind: 'set', accs: [sum[j]!], values: [m.fma(k.read(h), c, k.read(sum[j]!))] },
        ] as const;
      }),
    ),
  ];
  if (y !== null) steps.push(...side.map(j => k.result(y, k.read(sum[j]!), j)));
  const example = m.div(varOf(block), int(blocks));
  const body: Stmt[] = [
    { kind: 'let', v: n, value: example },
    { kind: 'let', v: d, value: m.mul(m.sub(varOf(block), m.mul(example, int(blocks))), int(k.lanes * V)) },
    k.states(side.flatMap(j => [k.keep(factors, here[j]!, k.input(2, j)), k.keep(state, here[j]!, k.zero)])),
    k.times(t, steps),
  ];
  if (last !== null) body.push(k.states(side.map(j => k.result(last, k.vector(state, here[j]!), j))));
  k.add([k.for(block, k.read(k.begin), k.read(k.end), body)], range, tasks, ns);
  return k.done();
}

function gradient(call: OwnKernelCall, target: Target): Pieces {
  const k = new Scan(call, target);
  const { n, t, d, s, rows, lanes } = k;
  const [L, S] = [t.size, s.size];
  // A part is some channels of one example: what is summed over channels has a place for each part.
  const most = Math.min(rows, Math.max(1, Math.ceil(GRADIENT_TASKS / n.size)));
  const each = Math.ceil(rows / most);
  const parts = Math.ceil(rows / each);
  const range = n.size * parts;
  const ns = k.elements * NS_GRADIENT;
  const tasks = cutRange(range, ns, 1, GRADIENT_TASKS);
  const task: E = m.div(k.read(k.begin), int(tasks[0]![1]));
  const perTask = (vectors: number): number => k.reserve(tasks.length * vectors);
  const [factors, ahead] = [perTask(S), perTask(S)] as [number, number];
  const [decays, states] = [perTask(L * S), perTask((L + 1) * S)] as [number, number];
  const [sumsB, sumsC] = [0, 1].map(() => k.reserve(range * L * S)) as [number, number];
  const sumsA = k.reserve(n.size * rows * S);

  const part = new LoopVar(range);
  const row = new LoopVar(rows);
  const back = new LoopVar(L);
  const here = place(0, [task, S], [s, 1]);
  const decayAt = place(0, [task, L * S], [t, S], [s, 1]);
  const before = place(0, [task, (L + 1) * S], [t, S], [s, 1]);
  const after = addScaled(before, constAffine(S), 1);
  const ofPart = place(0, [part, L * S], [t, S], [s, 1]);
  const ofRow = place(0, [n, rows * S], [row, S], [s, 1]);
  const names = [
    'dt',
    'x',
    'g',
    'h',
    'decay',
    'lambda',
    'carried',
    'exponent',
    'ofInput',
    'ofDelta',
  ] as const;
  const a = Object.fromEntries(names.map(x => [x, k.acc()])) as Record<(typeof names)[number], Acc>;
  const v = Object.fromEntries(names.map(x => [x, k.read(a[x])])) as Record<(typeof names)[number], E>;
  const [u, delta, A, b, c, g, gLast] = [0, 1, 2, 3, 4, 5, 6].map(i => k.input(i)) as [E, E, E, E, E, E, E];
  const A0 = k.vector(factors, here);

  const again: Stmt[] = [
    { kind: 'set', accs: [a.dt, a.x], values: [delta, m.mul(delta, u)] },
    k.states([
      { kind: 'set', accs: [a.decay], values: [decayOf(m.mul(v.dt, A0))] },
      {
        kind: 'set',
        accs: [a.h],
        values: [m.fma(v.decay, k.vector(states, before), m.mul(v.x, b))],
      },
      k.keep(decays, decayAt, v.decay),
      k.keep(states, after, v.h),
    ]),
  ];
  const backwards: Stmt[] = [
    { kind: 'let', v: t, value: m.sub(int(L - 1), varOf(back)) },
    {
      kind: 'set',
      accs: [a.dt, a.x, a.g, a.ofInput, a.ofDelta],
      values: [delta, m.mul(delta, u), g, k.zero, k.zero],
    },
    k.states([
      { kind: 'set', accs: [a.lambda], values: [m.fma(v.g, c, k.vector(ahead, here))] },
      { kind: 'set', accs: [a.carried], values: [m.mul(v.lambda, k.vector(decays, decayAt))] },
      { kind: 'set', accs: [a.exponent], values: [m.mul(v.carried, k.vector(states, before))] },
      {
        kind: 'set',
        accs: [a.ofInput, a.ofDelta],
        values: [m.fma(v.lambda, b, v.ofInput), m.fma(v.exponent, A0, v.ofDelta)],
      },
      k.keep(ahead, here, v.carried),
      k.keep(sumsA, ofRow, m.fma(v.exponent, v.dt, k.vector(sumsA, ofRow))),
      k.keep(sumsB, ofPart, m.fma(v.lambda, v.x, k.vector(sumsB, ofPart))),
      k.keep(sumsC, ofPart, m.fma(v.g, k.vector(states, after), k.vector(sumsC, ofPart))),
    ]),
  ];
  const [du, dDelta, dA, dB, dC] = [0, 1, 2, 3, 4].map(i => call.outputs[i] ?? null);
  if (du) backwards.push(k.result(du, m.mul(v.ofInput, delta)));
  if (dDelta) backwards.push(k.result(dDelta, m.fma(v.ofInput, u, v.ofDelta)));

  const example = m.div(varOf(part), int(parts));
  const first = m.mul(m.sub(varOf(part), m.mul(example, int(parts))), int(each));
  const stop = m.min(m.add(first, int(each)), int(rows));
  k.add(
    [
      k.for(part, k.read(k.begin), k.read(k.end), [
        { kind: 'let', v: n, value: example },
        k.times(t, [k.states([k.keep(sumsB, ofPart, k.zero), k.keep(sumsC, ofPart, k.zero)])]),
        k.for(row, first, stop, [
          { kind: 'let', v: d, value: m.mul(varOf(row), int(lanes)) },
          k.states([
            k.keep(factors, here, A),
            k.keep(ahead, here, gLast),
            k.keep(sumsA, ofRow, k.zero),
            k.keep(states, place(0, [task, (L + 1) * S], [s, 1]), k.zero),
          ]),
          k.times(t, again),
          k.times(back, backwards),
        ]),
      ]),
    ],
    range,
    tasks,
    ns,
  );

  // What the parts have summed up.
  if (dB || dC) {
    const spot = new LoopVar(n.size * L);
    const total = (buffer: number): E => {
      const each = Array.from({ length: parts }, (_, i) =>
        k.vector(buffer, place(i * L * S, [n, parts * L * S], [t, S], [s, 1])),
      );
      const sum = each.reduce((x, y) => m.add(x, y));
      const [l0, l1, l2, l3] = [0, 1, 2, 3].map(i => lane(sum, i)) as [E, E, E, E];
      return lanes === 4 ? m.add(m.add(l0, l1), m.add(l2, l3)) : sum;
    };
    const store = ({ buffer, at }: GemmOperand, value: E): Stmt => ({
      kind: 'store',
      buffer,
      at,
      dtype: 'float32',
      value,
      step: 1,
    });
    const body: Stmt[] = [
      { kind: 'let', v: n, value: m.div(varOf(spot), int(L)) },
      { kind: 'let', v: t, value: m.sub(varOf(spot), m.mul(varOf(n), int(L))) },
      k.states([...(dB ? [store(dB, total(sumsB))] : []), ...(dC ? [store(dC, total(sumsC))] : [])]),
    ];
    const cost = spot.size * S * (parts + 4);
    k.add([k.for(spot, k.read(k.begin), k.read(k.end), body)], spot.size, cutRange(spot.size, cost, 1), cost);
  }
  if (dA) {
    const sum = k.acc();
    const body: Stmt[] = [
      { kind: 'let', v: d, value: m.mul(varOf(row), int(lanes)) },
      k.states([
        { kind: 'set', accs: [sum], values: [k.zero] },
        k.times(n, [{ kind: 'set', accs: [sum], values: [m.add(k.read(sum), k.vector(sumsA, ofRow))] }]),
        k.result(dA, k.read(sum)),
      ]),
    ];
    const cost = rows * S * n.size;
    k.add([k.for(row, k.read(k.begin), k.read(k.end), body)], rows, cutRange(rows, cost, 1), cost);
  }
  return k.done();
}

provideCode(selectiveScanKernel, (k, target) => withExprs(() => forward(k, target), k.exprs));
provideCode(selectiveScanGradKernel, (k, target) => withExprs(() => gradient(k, target), k.exprs));
