// From pending graph to values: which nodes are computed together, the cache of plans, and the rule that a tensor read
// at any time has the value of its place in the program.
// In: nodes, cells to be written. Out: nodes with values. Not its job: kernels (runtime), recording steps (compile.ts).

import { DTYPES, type DType } from '../base/dtype.ts';
import { flag } from '../base/env.ts';
import { CompileError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import type { Shape } from '../base/shape.ts';
import { numel, sameShape } from '../base/shape.ts';
import { printGraph } from '../ir/graph-print.ts';
import { built, mix, type Node, newMark, type Storage, sameValue, toposort } from '../ir/node.ts';
import type { OpDef } from '../ir/op.ts';
import { type HostScalar, scalarOf } from '../ir/ops/elementwise.ts';
import { partOffset } from '../ir/ops/movement.ts';
import { simplify } from '../ir/simplify.ts';
import type { Device, Executable } from '../runtime/device.ts';
import { getDevice } from '../runtime/devices.ts';
import { type Cell, GoneStorage, settle } from './cell.ts';

// ---- templates: the structure of a graph, to find its plan again ---------------------------------------------------------

export class Template {
  readonly ops: (OpDef | null)[] = [];
  readonly shapes: Shape[] = [];
  readonly dtypes: DType[] = [];
  readonly attrs: unknown[] = [];
  readonly links: number[] = [];
  readonly roots: number[];
  readonly targetOf: readonly number[];
  readonly aliasOf: readonly number[];
  readonly device: string;
  executable: Executable | null = null;
  used = 0;

  constructor(
    order: readonly Node[],
    roots: readonly Node[],
    targetOf: readonly number[],
    aliasOf: readonly number[],
  ) {
    this.targetOf = targetOf;
    this.aliasOf = aliasOf;
    this.device = roots[0]!.device;
    for (const n of order) {
      const source = n.value !== null;
      this.ops.push(source ? null : n.op);
      this.shapes.push(n.shape);
      this.dtypes.push(n.dtype);
      this.attrs.push(source || n.op.bound ? null : n.attrs);
      this.links.push(source ? 0 : n.src.length);
      if (!source) for (const s of n.src) this.links.push(s.index);
    }
    this.roots = roots.map(r => r.index);
  }

  /** Whether an order of nodes (with `index` set by toposort) has this structure; -1, or the first node that differs. */
  differs(
    order: readonly Node[],
    roots: readonly Node[],
    targetOf: readonly number[],
    aliasOf: readonly number[],
  ): number {
    if (order.length !== this.ops.length || roots.length !== this.roots.length)
      return Math.min(order.length, this.ops.length);
    for (let i = 0; i < roots.length; i++) {
      if (roots[i]!.index !== this.roots[i] || targetOf[i] !== this.targetOf[i]) return roots[i]!.index;
    }
    if (aliasOf.length !== this.aliasOf.length) return 0;
    for (let i = 0; i < aliasOf.length; i++) if (aliasOf[i] !== this.aliasOf[i]) return 0;
    const { links } = this;
    let at = 0;
    for (let i = 0; i < order.length; i++) {
      const n = order[i]!;
      const op = this.ops[i];
      if (n.dtype !== this.dtypes[i] || !sameShape(n.shape, this.shapes[i]!)) return i;
      if (n.value !== null) {
        if (op !== null) return i;
        at++;
        continue;
      }
      if (op !== n.op) return i;
      const src = n.src;
      if (links[at++] !== src.length) return i;
      for (let k = 0; k < src.length; k++) if (links[at++] !== src[k]!.index) return i;
      const a = this.attrs[i];
      if (a !== n.attrs && !n.op.bound && !sameValue(a, n.attrs)) return i;
    }
    return -1;
  }
}

const MAX_PLANS = 512;
const MAX_PLAN_BYTES = 256 * 1024 * 1024;
const cache = new Map<number, Template[]>();
let plans = 0;
let planBytes = 0;
let clock = 0;
export const counters = { compiles: 0, realizes: 0, hits: 0, recomputed: 0 };

/** Finds or makes the plan for roots that are in the given order. */
export function planFor(
  order: readonly Node[],
  roots: readonly Node[],
  targetOf: readonly number[],
  aliasOf: readonly number[],
): Template {
  let h = roots.length;
  for (let i = 0; i < roots.length; i++) h = mix(mix(h, roots[i]!.hash), targetOf[i]!);
  const bucket = cache.get(h);
  if (bucket !== undefined) {
    for (const t of bucket) {
      if (t.device === roots[0]!.device && t.differs(order, roots, targetOf, aliasOf) < 0) {
        t.used = ++clock;
        counters.hits++;
        return t;
      }
    }
  }
  const t = new Template(order, roots, targetOf, aliasOf);
  const sources = order.filter(n => n.value !== null);
  const uniforms = order.filter(n => n.value === null && n.op.bound);
  t.executable = compileRoots(getDevice(t.device), roots, sources, uniforms, targetOf, aliasOf);
  t.used = ++clock;
  if (bucket === undefined) cache.set(h, [t]);
  else bucket.push(t);
  plans++;
  planBytes += t.executable.bytes;
  if (plans > MAX_PLANS || planBytes > MAX_PLAN_BYTES) dropOldest();
  return t;
}
/** A plan was used: others are older now. */
export const keepPlan = (t: Template): void => {
  t.used = ++clock;
};
function dropOldest(): void {
  const all = [...cache.values()].flat().sort((a, b) => a.used - b.used);
  for (const t of all.slice(0, Math.ceil(all.length / 4))) {
    t.executable!.dispose();
    planBytes -= t.executable!.bytes;
    plans--;
    t.executable = null;
  }
  for (const [h, list] of cache) {
    const left = list.filter(t => t.executable !== null);
    if (left.length === 0) cache.delete(h);
    else cache.set(h, left);
  }
}

function compileRoots(
  device: Device,
  roots: readonly Node[],
  sources: readonly Node[],
  uniforms: readonly Node[],
  targetOf: readonly number[],
  aliasOf: readonly number[],
): Executable {
  const debug = flag('DEBUG');
  const started = debug > 0 ? performance.now() : 0;
  counters.compiles++;
  const trace = debug >= 3 ? (pass: string, r: readonly Node[]) => log(`-- ${pass}\n${printGraph(r)}`) : null;
  trace?.('captured graph', roots);
  const simple = simplify(roots, trace);
  const e = device.compile({ roots: simple, sources, uniforms, targetOf, aliasOf });
  if (debug > 0) {
    const ms = (performance.now() - started).toFixed(1);
    log(`compile: ${roots.length} roots, ${e.kernels.length} kernels, ${ms} ms`);
    if (debug >= 2) for (const k of e.kernels) log(`  ${k.kind} ${k.name} work ${k.work} bytes ${k.bytes}`);
  }
  return e;
}

// ---- realise ------------------------------------------------------------------------------------------------------------

/** Cells whose new value is still a pending graph, and nodes that the next realise computes along the way. */
let dirty = new Set<Cell>();
let wanted: Node[] = [];
export const addDirty = (c: Cell): void => {
  dirty.add(c);
};
/** Asks for a value as part of the next realise: the loss of backward(), the output of a module. */
export const want = (n: Node): void => {
  wanted.push(n);
};

/** Gives every pending cell its value. */
export function flushCells(): void {
  if (dirty.size > 0 || wanted.length > 0) realize([]);
}

/** Computes the nodes, and with them every pending cell and wanted node, as one plan per device. */
export function realize(nodes: readonly Node[]): void {
  const cells = takeDirty();
  const asked = wanted.length === 0 ? nodes : [...nodes, ...wanted];
  const pending = asked.some(n => n.value !== null) ? asked.filter(n => n.value === null) : asked;
  if (wanted.length > 0) wanted = [];
  built.nodes = 0;
  built.bytes = 0;
  const first = pending[0] ?? cells[0]?.node;
  if (first === undefined) return;
  const here = (x: { readonly device: string }): boolean => x.device === first.device;
  try {
    if (pending.every(here) && cells.every(c => here(c.node)))
      runGroup(getDevice(first.device), pending, cells);
    else {
      for (const device of new Set([...pending, ...cells.map(c => c.node)].map(n => n.device))) {
        const on = (n: Node): boolean => n.device === device;
        runGroup(
          getDevice(device),
          pending.filter(on),
          cells.filter(c => on(c.node)),
        );
      }
    }
  } catch (e) {
    dropFailed(pending, cells);
    throw e;
  }
}
const NONE: readonly never[] = [];
function takeDirty(): readonly Cell[] {
  if (dirty.size === 0) return NONE;
  const cells = [...dirty].filter(c => c.pending && c.alive());
  // Not clear(): a cleared table of V8 leads to the next one, and so keeps all that came after it until a full collection.
  dirty = new Set();
  return cells;
}
/**
 * Nothing was changed, and what was pending still is: but for what cannot be computed and what was to be computed with
 * it (the updates of a step whose loss has a bad label). Such cells have their value of before.
 */
function dropFailed(nodes: readonly Node[], cells: readonly Cell[]): void {
  const left = cells.filter(c => c.pending);
  const work = (n: Node): Node[] => toposort([n]).filter(x => x.value === null && x.src.length > 0);
  const failed = [...nodes, ...left.map(c => c.valueNode)].filter(n => n.value === null && !computable(n));
  const spoiled = new Set(failed.flatMap(work));
  // All are judged before one is taken back, since they may need each other.
  const kept = left.map(c => !work(c.valueNode).some(n => spoiled.has(n)));
  left.forEach((c, i) => {
    if (kept[i]) dirty.add(c);
    else c.revert();
  });
}
function computable(n: Node): boolean {
  try {
    evaluate([n], [-1], []);
    return true;
  } catch {
    return false;
  }
}

function runGroup(device: Device, nodes: readonly Node[], cells: readonly Cell[]): void {
  const roots: Node[] = [];
  const targetOf: number[] = [];
  const seen = newMark();
  cells.forEach((c, i) => {
    roots.push(c.valueNode);
    targetOf.push(i);
    c.valueNode.mark = seen;
    c.node.mark = seen;
  });
  for (const n of nodes) {
    if (n.mark === seen) continue;
    n.mark = seen;
    roots.push(n);
    targetOf.push(-1);
  }
  if (roots.length === 0) return;
  counters.realizes++;
  let old: readonly (Storage | null)[] = NONE;
  const snapshots = (): void => {
    old = cells.map(c => c.snapshot(device));
  };
  const homes = cells.length === 0 ? NONE : cells.map(c => c.home);
  const out = evaluate(roots, targetOf, homes, cells.length === 0 ? null : snapshots);
  cells.forEach((c, i) => {
    c.commit(old[i]!);
  });
  roots.forEach((n, i) => {
    if (targetOf[i]! < 0) settle(n, out[i]!);
  });
}

/** Runs the plan for roots; `before` is called when it is there, before it runs. */
function evaluate(
  roots: readonly Node[],
  targetOf: readonly number[],
  targets: readonly Storage[],
  before: (() => void) | null = null,
): (Storage | null)[] {
  const device = getDevice(roots[0]!.device);
  // A slice that is one piece of data's memory is a source of its own during the run: batches of a data set share a plan.
  // Not where a cell is written in place: there a reader must know which elements it reads.
  let parts: Node[] | null = null;
  const isSource = (n: Node): boolean => {
    if (n.value !== null) return true;
    const part = device.part !== undefined && partOffset(n) >= 0 && !targets.includes(n.src[0]!.value!);
    if (part) (parts ??= []).push(n);
    return part;
  };
  const order = toposort(roots, isSource);
  if (parts === null) return runPlan(order, roots, targetOf, targets, before);
  return runParts(device, parts, () => runPlan(order, roots, targetOf, targets, before));
}
function runParts<T>(device: Device, parts: readonly Node[], run: () => T): T {
  for (const n of parts) {
    const whole = n.src[0]!.value!;
    checkThere(whole);
    const size = DTYPES[n.dtype].bytes;
    n.value = device.part!(whole, partOffset(n) * size, numel(n.shape) * size);
  }
  try {
    return run();
  } finally {
    for (const n of parts) n.value = null;
  }
}
function runPlan(
  order: readonly Node[],
  roots: readonly Node[],
  targetOf: readonly number[],
  targets: readonly Storage[],
  before: (() => void) | null,
): (Storage | null)[] {
  const sources: Storage[] = [];
  const aliasOf: number[] = [];
  const uniforms: HostScalar[] = [];
  for (const n of order) {
    if (n.value !== null) {
      checkThere(n.value);
      sources.push(n.value);
      aliasOf.push(targets.length === 0 ? -1 : targets.indexOf(n.value));
    } else if (n.op.bound) uniforms.push(scalarOf(n));
  }
  const t = planFor(order, roots, targetOf, aliasOf);
  before?.();
  return t.executable!.run(sources, uniforms, targets);
}

export function checkThere(s: Storage): void {
  if (s instanceof GoneStorage) {
    throw new CompileError(
      'tensor',
      'a value must still exist when it is read',
      s.why,
      'return it from the compiled function, or clone() it before it is replaced',
    );
  }
}
