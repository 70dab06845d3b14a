// Steps written out: the functions of one step once, their parameters for each. Code is found by structure, so a longer
// sequence is a longer list of commands and no new code.
// In: a kernel of steps, the places of what it reads and makes. Out: commands. Not its job: the schedule of a step.

import { byteWidth } from '../base/dtype.ts';
import { numel } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { after } from '../ir/ops/custom.ts';
import { dataNode } from '../ir/ops/elementwise.ts';
import { gemmLimit } from '../kernels/gemm.ts';
import { fuse } from '../schedule/fuse.ts';
import type { Kernel, StepsKernel, Value } from '../schedule/kernel.ts';
import { planArena } from '../schedule/memory.ts';
import type { KernelInfo } from './device.ts';
import {
  type Emission,
  type Emittable,
  infoOf,
  moved,
  type Place,
  type PlaceOf,
  type PlanCode,
  stepsWriter,
} from './plan-code.ts';

stepsWriter.write = writeSteps;

function writeSteps(code: PlanCode, k: StepsKernel, step: number, placeOf: PlaceOf): void {
  const { region, offsets, kernels, carries, copies } = layoutOf(code, k, step);
  const { body, length: T, reverse } = k.node.attrs;
  const C = body.carries;
  const inputs = new Map(body.inputs.map((n, i) => [n, i]));
  const source = (i: number): Place => {
    const { buffer, offset } = k.sources[i]!;
    return moved(placeOf(k.buffers[buffer]!), offset);
  };
  const results = (of: string): Map<number, Place> =>
    new Map(k.results.filter(r => r.part.of === of).map(r => [r.part.at, placeOf(k.buffers[r.buffer]!)]));
  const [states, lasts] = [results('states'), results('last')];
  const stacks = new Map(k.results.map(r => [r.value, placeOf(k.buffers[r.buffer]!)]));
  const carryOf = new Map(k.next.map((v, c) => [v, c]));
  /** Carry c after `done` steps. */
  const carry = (c: number, done: number): Place => {
    const all = states.get(c);
    if (all !== undefined) return moved(all, (reverse ? T - done : done) * bytesOf(body.next[c]!));
    if (done === 0) return source(c);
    return (done === T ? lasts.get(c) : undefined) ?? moved(region, carries[c]![done & 1]!);
  };
  const copy = (c: number, from: Place, to: Place): void => {
    let one = copies.get(c);
    if (one === undefined) copies.set(c, (one = code.emission(copyKernel(body.next[c]!))));
    code.kernel(one, v => (v.kind === 'source' ? from : to), []);
  };
  for (const c of states.keys()) if (k.next[c]!.bytes > 0) copy(c, source(c), carry(c, 0));
  for (let done = 0; done < T; done++) {
    const t = reverse ? T - 1 - done : done;
    const place: PlaceOf = v => {
      const i = inputs.get(v.node);
      if (i !== undefined) {
        if (i < C) return carry(i, done);
        return i < C + body.sequences ? moved(source(i), t * v.bytes) : source(i);
      }
      const c = carryOf.get(v);
      if (c !== undefined) return carry(c, done + 1);
      const all = stacks.get(v);
      return all !== undefined ? moved(all, t * v.bytes) : moved(region, offsets.get(v)!);
    };
    for (const { kernel, emission, info, scratch } of kernels) {
      if (kernel.kind === 'host') code.host(kernel, info!, place);
      else if (kernel.kind === 'steps') writeSteps(code, kernel, step, place);
      else
        code.kernel(
          emission!,
          place,
          scratch.map(at => moved(region, at)),
        );
    }
  }
  for (const [c, to] of lasts) if (states.has(c) && k.next[c]!.bytes > 0) copy(c, carry(c, T), to);
}

/** What the steps of one kernel share: the memory that is used again at each. */
interface Layout {
  readonly region: Place;
  readonly offsets: ReadonlyMap<Value, number>;
  readonly kernels: readonly {
    readonly kernel: Kernel;
    readonly emission: Emission | null;
    readonly info: KernelInfo | null;
    readonly scratch: readonly number[];
  }[];
  /** Two places per carry that is not kept, in turn. */
  readonly carries: readonly (readonly [number, number])[];
  /** The kernel that copies a carry. */
  readonly copies: Map<number, Emission>;
}
const layouts = new WeakMap<StepsKernel, Layout>();
function layoutOf(code: PlanCode, k: StepsKernel, step: number): Layout {
  const had = layouts.get(k);
  if (had !== undefined) return had;
  const { kernels } = k.body;
  const lives: { bytes: number; from: number; to: number }[] = [];
  const own = new Map<Value, number>();
  const elsewhere = new Set<Value | null>([...k.next, ...k.results.map(r => r.value)]);
  const emissions = kernels.map(b => (b.kind === 'host' || b.kind === 'steps' ? null : code.emission(b)));
  const scratch = kernels.map((b, at) => {
    for (const v of b.buffers) {
      if (v.kind !== 'computed' || elsewhere.has(v)) continue;
      const i = own.get(v) ?? lives.push({ bytes: Math.max(v.bytes, 1), from: at, to: at }) - 1;
      own.set(v, i);
      lives[i]!.to = at;
    }
    return (emissions[at]?.scratch ?? []).map(bytes => lives.push({ bytes, from: at, to: at }) - 1);
  });
  const whole = (v: Value | null): number =>
    lives.push({ bytes: Math.max(v?.bytes ?? 1, 1), from: 0, to: kernels.length }) - 1;
  const pairs = k.next.map(v => [whole(v), whole(v)] as const);
  const { offsets, peakBytes } = planArena(lives);
  const layout: Layout = {
    region: { home: code.newLife(peakBytes, step, step), offset: 0 },
    offsets: new Map([...own].map(([v, i]) => [v, offsets[i]!])),
    kernels: kernels.map((kernel, at) => ({
      kernel,
      emission: emissions[at]!,
      info: kernel.kind === 'host' ? infoOf(kernel) : null,
      scratch: scratch[at]!.map(i => offsets[i]!),
    })),
    carries: pairs.map(([a, b]) => [offsets[a]!, offsets[b]!]),
    copies: new Map(),
  };
  layouts.set(k, layout);
  return layout;
}

const bytesOf = (n: Node): number => numel(n.shape) * byteWidth(n.dtype);
/** Copies a value like that of a node. */
function copyKernel(like: Node): Emittable {
  const s = dataNode([numel(like.shape)], like.dtype, like.device);
  s.value = { byteLength: 0 };
  return fuse([after(s, s)], { gemm: gemmLimit, hostOps: true }).kernels[0] as Emittable;
}
