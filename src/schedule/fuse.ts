// Graph to kernels. Every kernel computes one or more results with everything else inlined; the question is which
// nodes get memory. Nodes are visited from results to sources: a node whose users all sit in one kernel joins that
// kernel where its loops allow it, and gets memory otherwise.
// In: simplified roots, a device's limits. Out: values and kernels in a valid order. Not its job: memory, code.

import { byteWidth } from '../base/dtype.ts';
import type { Shape } from '../base/shape.ts';
import { numel, sameShape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { newMark, programOrder, sameValue } from '../ir/node.ts';
import { contractionOf } from '../ir/ops/contract.ts';
import { isConst, uniformDef } from '../ir/ops/elementwise.ts';
import type { ScatterAttrs, TakeAttrs } from '../ir/ops/index.ts';
import { joinDim } from '../ir/ops/movement.ts';
import type { ReduceAttrs, ScanAttrs } from '../ir/ops/reduce.ts';
import type { Affine } from '../ir/scalar.ts';
import { accOf, addScaled, asAffine, constAffine, Exprs, LoopVar, varOf, withExprs } from '../ir/scalar.ts';
import { type Cut, keyOfAll, loopVarOf, reshapeIndex } from './affine.ts';
import { KernelBuilder } from './build.ts';
import {
  type Block,
  type Draft,
  evaluations,
  isIdentity,
  levelOf,
  MUCH,
  NeedsMemory,
  type Place,
  placeOf,
  runsOverLoops,
  type Scope,
  sameRun,
  scattered,
  type Use,
  varsOf,
  visible,
  wholeScope,
} from './draft.ts';
import { alignIndex, operandIndices, reduceIndex, takeIndex } from './indices.ts';
import type { Kernel, Limits, Schedule, StepsKernel, Value } from './kernel.ts';

const MAX_INLINED = 400;
/** Loops that one kernel can tell apart. */
const MAX_LOOPS = 20;
const CHEAP = 4;
const COSTLY = 8;
const FEW_ROWS = 8;
/** Sources of a join that one kernel writes. */
const MAX_JOINED = 8;
/** The same for loops that vectors shorten: channels of an image, say. */
const SOME_ROWS = 128;
const VERY_MUCH = 524288;

export function fuse(
  roots: readonly Node[],
  limits: Limits,
): Schedule & { valueFor: (n: Node) => Value | undefined } {
  const forced = new Set<Node>();
  // What a kernel stores it computes where it needs it, too: asked for again, a value gets a kernel of its own.
  const alone = new Set<Node>();
  for (let attempt = 0; ; attempt++) {
    try {
      return new Fuser(roots, limits, forced, alone).run();
    } catch (e) {
      if (!(e instanceof NeedsMemory) || attempt > 200) throw e;
      (forced.has(e.node) ? alone : forced).add(e.node);
    }
  }
}

/** The kernels of one step: what they read from outside, and the whole as a kernel. */
export interface StepsBody {
  readonly reads: readonly Node[];
  build(valueFor: (n: Node) => Value): StepsKernel;
}
/** How steps are scheduled; schedule/steps.ts sets it, which comes with those who make steps. */
export const stepsRule: {
  plan: ((n: Node, parts: readonly Node[], limits: Limits) => StepsBody) | null;
} = { plan: null };

class Fuser {
  private readonly order: Node[];
  private readonly uses: Use[][];
  private readonly costUp: number[];
  private readonly loadsUp: number[];
  private readonly drafts: Draft[] = [];
  private readonly writers = new Map<Node, Draft[]>();
  private readonly values = new Map<Node, Value>();
  private readonly position = new Map<Node, number>();
  private readonly isRoot: Set<Node>;
  private readonly limits: Limits;
  private readonly forced: ReadonlySet<Node>;
  private readonly alone: ReadonlySet<Node>;

  constructor(roots: readonly Node[], limits: Limits, forced: ReadonlySet<Node>, alone: ReadonlySet<Node>) {
    this.limits = limits;
    this.forced = forced;
    this.alone = alone;
    this.isRoot = new Set(roots);
    this.order = programOrder(roots);
    this.order.forEach((n, i) => {
      this.position.set(n, i);
    });
    this.uses = this.order.map(() => []);
    this.costUp = [];
    this.loadsUp = [];
    for (const n of this.order) {
      let cost = 0;
      let loads = 0;
      if (n.value !== null || n.op.kind === 'source') loads = isConst(n) ? 0 : 1;
      else if (n.op.kind === 'movement' || n.op.kind === 'elementwise') {
        cost = n.op.kind === 'movement' ? 0 : n.op.cost;
        for (const s of n.src) {
          const i = this.position.get(s)!;
          cost += this.costUp[i]!;
          loads += this.loadsUp[i]!;
        }
      } else cost = Number.POSITIVE_INFINITY;
      this.costUp.push(cost);
      this.loadsUp.push(loads);
    }
  }

  run(): Schedule & { valueFor: (n: Node) => Value | undefined } {
    for (let i = this.order.length - 1; i >= 0; i--) this.visit(this.order[i]!, i);
    const kernels = this.build();
    return { values: [...this.values.values()], kernels, valueFor: n => this.values.get(n) };
  }

  // ---- values -------------------------------------------------------------------------------------------------

  private valueFor(n: Node): Value {
    let v = this.values.get(n);
    if (v === undefined) {
      const count = numel(n.shape);
      v = {
        id: this.values.size,
        node: n,
        dtype: n.dtype,
        numel: count,
        bytes: count * byteWidth(n.dtype),
        kind:
          n.value !== null
            ? 'source'
            : n.op === (uniformDef as unknown as typeof n.op)
              ? 'uniform'
              : 'computed',
      };
      this.values.set(n, v);
    }
    return v;
  }
  private isLeaf(n: Node): boolean {
    return n.value !== null || n.op.bound;
  }

  // ---- drafts -------------------------------------------------------------------------------------------------

  private newDraft(kind: Draft['kind'], part: Draft['part'] = null): Draft {
    const d: Draft = {
      id: this.drafts.length,
      kind,
      exprs: new Exprs(),
      blocks: [],
      at: [],
      stores: [],
      core: null,
      cuts: new Map(),
      fixed: new Set(),
      hasReduce: false,
      inlined: 0,
      loops: 0,
      part,
      after: [],
      mark: 0,
    };
    this.drafts.push(d);
    return d;
  }
  private addWriter(n: Node, d: Draft): void {
    const w = this.writers.get(n);
    if (w === undefined) this.writers.set(n, [d]);
    else w.push(d);
    this.valueFor(n);
  }
  /** Fresh loops over a shape; dims of size 1 need none. */
  private loops(d: Draft, shape: Shape): { at: Affine[]; vars: LoopVar[] } {
    return withExprs(() => {
      const vars: LoopVar[] = [];
      const at = shape.map(n => {
        if (n === 1) return constAffine(0);
        const v = new LoopVar(n);
        vars.push(v);
        return asAffine(varOf(v));
      });
      return { at, vars };
    }, d.exprs);
  }

  // ---- phase 1: who gets memory ----------------------------------------------------------------------------------

  private visit(n: Node, position: number): void {
    const uses = this.distinct(this.uses[position]!);
    if (this.isLeaf(n)) {
      this.valueFor(n);
      return;
    }
    if (n.op.kind === 'steps') {
      this.ownSteps(n);
      return;
    }
    const must =
      this.isRoot.has(n) ||
      this.forced.has(n) ||
      uses.some(u => u.need === 'exact' || (u.need === 'operand' && n.op.kind !== 'movement'));
    if (!must && uses.length === 0) return;
    if (must || !this.inline(n, uses, position)) this.materialise(n, uses);
  }

  /** Uses that differ, in terms of the loops as they are cut by now. */
  private distinct(uses: readonly Use[]): Use[] {
    const seen = new Map<string, Use>();
    for (const u of uses) {
      const at = u.at.map(a => this.current(u.draft, a));
      const key = `${u.draft.id}:${keyOfAll(at)}:${u.need}`;
      const had = seen.get(key);
      // Of two equal uses the one further out is kept: what is hoisted for it serves the other.
      if (had === undefined || visible(u.scope).length < visible(had.scope).length)
        seen.set(key, { ...u, at });
    }
    return [...seen.values()];
  }
  /** An index in terms of the loops as they are cut by now. */
  private current(d: Draft, at: Affine): Affine {
    if (d.cuts.size === 0 || !at.terms.some(([e]) => e.op === 'var' && d.cuts.has(e.data as LoopVar)))
      return at;
    return withExprs(() => {
      let out = constAffine(at.c);
      for (const [e, k] of at.terms) {
        const v = loopVarOf(e);
        const cut = v === null ? undefined : d.cuts.get(v);
        if (cut === undefined) out = addScaled(out, asAffine(e), k);
        else {
          const whole = addScaled(asAffine(varOf(cut.inner)), asAffine(varOf(cut.outer)), cut.inner.size);
          out = addScaled(out, this.current(d, whole), k);
        }
      }
      return out;
    }, d.exprs);
  }
  private cut(d: Draft, c: Cut): boolean {
    if (d.fixed.has(c.v) || d.cuts.has(c.v)) return false;
    const outer = new LoopVar(c.v.size / c.inner);
    const inner = new LoopVar(c.inner);
    d.cuts.set(c.v, { outer, inner });
    for (const b of d.blocks) {
      const i = b.vars.indexOf(c.v);
      if (i >= 0) b.vars.splice(i, 1, outer, inner);
    }
    return true;
  }

  /** Tries to compute n inside its users. Changes nothing unless it returns true (but for harmless cuts of loops). */
  private inline(n: Node, uses: readonly Use[], position: number): boolean {
    const drafts = new Set(uses.map(u => u.draft));
    const kind = n.op.kind;
    if (kind === 'source') return this.passOn(n, uses);
    if (kind === 'movement') return this.passOn(n, uses);
    if (OWN_KERNEL.has(kind) && kind !== 'contraction') return false;
    if (kind === 'index') {
      if (drafts.size > 1 || uses.length > 2) return false;
      return this.passOn(n, uses);
    }
    if (kind === 'contraction') return this.inlineMatmul(n, uses, drafts);
    if (kind === 'reduce') {
      if (drafts.size > 1 || uses.length > 1 || !this.roomIn(uses)) return false;
      const use = uses[0]!;
      const at = this.hoist(use, rangesOf(n));
      if (at === null) return false;
      return this.passOn(n, [{ ...use, scope: at }]);
    }
    // elementwise
    const cost = this.costUp[position]!;
    // Kernels that ops bring along are there to save memory: what they need at each place is computed in each of them.
    const own = uses.every(u => u.draft.kind === 'own');
    if (!own && drafts.size > 1 && (cost > CHEAP || this.loadsUp[position]! > 2)) return false;
    if (!own && uses.length > 2 * drafts.size && cost > CHEAP) return false;
    if (!this.roomIn(uses)) return false;
    if (cost < COSTLY) return this.passOn(n, uses);
    // A costly value that some loops do not change is computed outside of them, or not here.
    const placed: Use[] = [];
    for (const u of uses) {
      if (sameRun(u, n) || evaluations(u) <= 2 * Math.max(1, numel(n.shape))) placed.push(u);
      else {
        const scope = u.need === 'value' ? this.outward(u) : null;
        if (scope === null) return false;
        placed.push({ ...u, scope });
      }
    }
    return this.passOn(n, placed);
  }
  private roomIn(uses: readonly Use[]): boolean {
    for (const u of uses) if (++u.draft.inlined > MAX_INLINED) return false;
    return true;
  }

  /** Where the loops of a reduction go: right inside the loops it depends on. Null where that would repeat work. */
  private hoist(use: Use, sizes: readonly number[]): Scope | null {
    const d = use.draft;
    const place = this.placeInside(use, sizes);
    if (place === null || !this.splitAt(d, place)) return null;
    d.hasReduce = true;
    d.loops += sizes.length;
    return place.scope();
  }
  private placeInside(use: Use, sizes: readonly number[]): Place | null {
    const d = use.draft;
    if (d.core !== null || d.kind !== 'loop' || d.loops >= MAX_LOOPS) return null;
    const place = placeOf(use);
    // Much work inside few outer loops leaves the other threads idle: better a kernel of its own.
    const row = sizes.reduce((p, s) => p * s, 1);
    if (place === null || scattered(place, use)) return null;
    const work = place.rows * row;
    const idle = place.rootRows < FEW_ROWS ? work >= MUCH : place.rootRows < SOME_ROWS && work >= VERY_MUCH;
    // A sum of sums was cut for the caches: the parts come first.
    const parts = place.rows > place.rootRows && work >= VERY_MUCH;
    return idle || parts ? null : place;
  }
  /** The scope right inside the loops that a value depends on, with the others further in. */
  private outward(use: Use): Scope | null {
    const place = placeOf(use);
    if (place === null || use.draft.core !== null || scattered(place, use)) return null;
    return this.splitAt(use.draft, place) ? place.scope() : null;
  }
  private splitAt(d: Draft, place: Place): boolean {
    if (place.split === null) return true;
    const { block, scope, mine } = place.split;
    if (block.vars.some(v => d.fixed.has(v))) return false;
    const outer: Block = { vars: mine };
    scope.list.splice(scope.list.indexOf(block), 0, outer);
    block.vars = block.vars.filter(v => !mine.includes(v));
    place.last = { scope, block: outer };
    return true;
  }

  private inlineMatmul(n: Node, uses: readonly Use[], drafts: ReadonlySet<Draft>): boolean {
    if (drafts.size > 1 || uses.length > 1) return false;
    const use = uses[0]!;
    const d = use.draft;
    const { M, N, K, sums } = contractionOf(n);
    if (!this.limits.gemm(M, N, K, n.dtype)) {
      if (!this.roomIn(uses)) return false;
      const at = this.hoist(use, sums);
      return at !== null && this.passOn(n, [{ ...use, scope: at }]);
    }
    if (d.kind !== 'loop' || d.core !== null || d.hasReduce || !isIdentity(use, n, d) || d.inlined > 24)
      return false;
    if (!d.stores.every(s => s.scope.end === d.blocks[d.blocks.length - 1]) || d.stores.length > 2)
      return false;
    this.adopt(d, n, use.at);
    return true;
  }
  /** Makes d finish the tiles of the product n. */
  private adopt(d: Draft, n: Node, at: readonly Affine[]): void {
    d.core = { node: n, at };
    for (const b of d.blocks) for (const v of b.vars) d.fixed.add(v);
    const scope = wholeScope(d);
    withExprs(() => {
      const sums = contractionOf(n).sums.map(size => asAffine(varOf(new LoopVar(size))));
      operandIndices(n, at, sums).forEach((a, i) => {
        this.use(n.src[i]!, { draft: d, at: a, scope, need: 'operand' });
      });
    }, d.exprs);
  }

  private use(n: Node, u: Use): void {
    this.uses[this.position.get(n)!]!.push(u);
  }

  /** Hands the uses of n on to its sources. False, with nothing handed on, where an index cannot be expressed. */
  private passOn(n: Node, uses: readonly Use[]): boolean {
    const out: { src: Node; use: Use }[] = [];
    for (const u of uses) {
      const ok = withExprs(() => {
        const index = this.sourceIndices(n, u);
        if (index === null) return false;
        index.forEach(({ at, scope, need }, i) => {
          out.push({
            src: n.src[i]!,
            use: { draft: u.draft, at, scope: scope ?? u.scope, need: need ?? u.need },
          });
        });
        return true;
      }, u.draft.exprs);
      if (!ok) return false;
    }
    for (const { src, use } of out) this.use(src, use);
    return true;
  }

  private sourceIndices(n: Node, u: Use): { at: Affine[]; scope?: Scope; need?: Use['need'] }[] | null {
    const d = u.draft;
    if (n.op.kind === 'movement') {
      if (u.need === 'operand' && n.op.index !== null && n.op.index(u.at, n).guard != null) return null;
      const at = this.movementIndex(n, u.at, d);
      return at === null ? null : [{ at }];
    }
    if (n.op.kind === 'reduce') {
      const { dims, keepdim } = n.attrs as ReduceAttrs;
      const x = n.src[0]!;
      const vars = dims.map(k => new LoopVar(x.shape[k]!));
      const block: Block = { vars: vars.filter(v => v.size !== 1) };
      const scope: Scope = { parent: u.scope, list: [block], end: block };
      return [{ at: reduceIndex(u.at, x.shape.length, dims, keepdim, vars), scope, need: 'value' }];
    }
    if (n.op.kind === 'contraction') {
      const sums = contractionOf(n).sums.map(size => new LoopVar(size));
      const block: Block = { vars: sums };
      const scope: Scope = { parent: u.scope, list: [block], end: block };
      return operandIndices(
        n,
        u.at,
        sums.map(v => asAffine(varOf(v))),
      ).map(at => ({ at, scope, need: 'value' as const }));
    }
    if (n.op.kind === 'index') {
      const { dims } = n.attrs as TakeAttrs;
      const lead = u.at.length - (n.src[0]!.shape.length - dims.length);
      const computed = dims.map(() => asAffine(accOf(opaque++, 'i32', 1)));
      return n.src.map((s, i) =>
        i === 0
          ? { at: takeIndex(u.at.slice(lead), dims, computed) }
          : { at: alignIndex(u.at.slice(0, lead), s.shape), need: 'value' as const },
      );
    }
    return n.src.map(s => ({ at: alignIndex(u.at, s.shape) }));
  }

  private movementIndex(n: Node, at: readonly Affine[], d: Draft): Affine[] | null {
    if (!n.op.relabels) return n.op.index!(at, n).at;
    let now = at;
    for (;;) {
      const r = reshapeIndex(now, n.shape, n.src[0]!.shape);
      if (r === null) break;
      if (!('v' in r)) return r;
      if (!this.cut(d, r)) break;
      now = now.map(a => this.current(d, a));
    }
    // Memory is addressed by the row-major position, whatever the shape.
    return null;
  }

  /** Gives n memory: in a kernel that already computes it, else in one of its own. */
  private materialise(n: Node, uses: readonly Use[]): void {
    const host = this.hostFor(n, uses);
    if (host !== null) {
      this.addWriter(n, host.draft);
      host.draft.stores.push({ node: n, at: host.at, scope: host.scope });
      if (n.op.kind === 'reduce') {
        const at = this.hoist(host, rangesOf(n));
        if (at === null || !this.passOn(n, [{ ...host, scope: at }])) throw new NeedsMemory(n);
      } else if (!this.passOn(n, [host]))
        throw new Error(`fuse: ${n.op.name} cannot be computed where it was read`);
      return;
    }
    if (numel(n.shape) === 0) {
      this.valueFor(n);
      return;
    }
    switch (n.op.kind) {
      case 'host':
        this.ownHost(n);
        return;
      case 'composite':
        this.ownKernel(n);
        return;
      case 'scan':
        this.ownScan(n);
        return;
      case 'join':
        this.ownJoin(n);
        return;
      case 'scatter':
        this.ownScatter(n);
        return;
      case 'part':
        this.resultOfSteps(n);
        return;
      default:
    }
    const d = this.newDraft('loop');
    const { at, vars } = this.loops(d, n.shape);
    d.blocks.push({ vars });
    this.addWriter(n, d);
    const scope = wholeScope(d);
    d.stores.push({ node: n, at, scope });
    if (n.op.kind === 'contraction') {
      const { M, N, K } = contractionOf(n);
      if (this.limits.gemm(M, N, K, n.dtype)) {
        this.adopt(d, n, at);
        return;
      }
    }
    const own: Use = { draft: d, at, scope, need: 'value' };
    if (this.passOn(n, [own])) return;
    // A reshape whose source has no index of its own here: the source gets memory, read by row-major position.
    this.use(n.src[0]!, { ...own, at: [], need: 'exact' });
  }

  /** A kernel that reads n at its own loops and may store it too; null where there is none. */
  private hostFor(n: Node, uses: readonly Use[]): Use | null {
    const kind = n.op.kind;
    if (OWN_KERNEL.has(kind) || n.op.relabels || this.alone.has(n)) return null;
    const costly = this.costUp[this.position.get(n)!]! >= COSTLY;
    for (const u of uses) {
      const d = u.draft;
      if (uses.some(o => o.draft === d && o.need !== 'value')) continue;
      if (u.need !== 'value' || !HOSTS.has(d.kind) || u.scope.parent !== null) continue;
      if (d.stores.length >= 8 || d.inlined > MAX_INLINED / 2) continue;
      if (kind === 'reduce' && this.placeInside(u, rangesOf(n)) === null) continue;
      if (d.core !== null && d.stores.length >= 3) continue;
      // A costly value that the kernel also needs elsewhere in a row would be computed there again.
      if (costly && uses.some(o => o !== u && o.draft === d)) continue;
      if (d.core !== null && levelOf(u, n, d) !== d.blocks[d.blocks.length - 1]) continue;
      if (uses.some(o => o.draft !== d && this.dependsOn(d, o.draft))) continue;
      const level = levelOf(u, n, d) ?? this.newLevel(u, n);
      if (level === undefined) continue;
      return { ...u, scope: { parent: null, list: d.blocks, end: level } };
    }
    return null;
  }

  /** Splits the loops of the kernel so that the use stands right inside some of them. */
  private newLevel(u: Use, n: Node): Block | undefined {
    const place = runsOverLoops(u, n) ? placeOf(u) : null;
    if (place === null || place.split === null || scattered(place, u)) return undefined;
    if (!this.splitAt(u.draft, place)) return undefined;
    return place.last!.block;
  }

  /** Whether d needs a result of `other`, directly or through further kernels. */
  private dependsOn(d: Draft, other: Draft): boolean {
    const seen = newMark();
    const stack: Node[] = [];
    const enter = (x: Draft): void => {
      if (x.mark === seen) return;
      x.mark = seen;
      for (const s of x.stores) stack.push(s.node);
      if (x.part !== null) stack.push(x.part.node);
    };
    enter(d);
    while (stack.length > 0) {
      const n = stack.pop()!;
      if (n.mark === seen) continue;
      n.mark = seen;
      const writers = this.writers.get(n);
      if (writers !== undefined) {
        for (const w of writers) {
          if (w === other) return true;
          enter(w);
        }
      }
      if (n.value === null) for (let i = 0; i < n.src.length; i++) stack.push(n.src[i]!);
    }
    return false;
  }

  private ownHost(n: Node): void {
    const d = this.newDraft('host', { node: n, source: 0 });
    this.addWriter(n, d);
    for (const s of n.src) this.use(s, { draft: d, at: [], scope: wholeScope(d), need: 'exact' });
  }
  /** A kernel that the op brings along: nodes that ask for the same run are results of one. */
  private ownKernel(n: Node): void {
    const by = n.op.kernel!;
    let d = this.drafts.find(x => x.kind === 'own' && isOneRun(x.part!.node, n));
    if (d === undefined) {
      d = this.newDraft('own', { node: n, source: 0 });
      const { at, vars } = this.loops(d, by.loops(n as OwnNode));
      for (const v of vars) d.fixed.add(v);
      d.at.push(...at);
      const reads = by.reads(n as OwnNode, at);
      // Values are computed in the loops that some of them need, outside of those of operands alone.
      d.blocks.push({ vars: [...varsOf(reads.flatMap(r => (r.inMemory ? [] : r.at)))!] });
      const scope = wholeScope(d);
      for (const [i, { at, inMemory }] of reads.entries())
        this.use(n.src[i]!, { draft: d, at, scope, need: inMemory ? 'operand' : 'value' });
    }
    this.addWriter(n, d);
    d.stores.push({ node: n, at: by.writes(n as OwnNode, d.at), scope: wholeScope(d) });
  }
  private ownScan(n: Node): void {
    const d = this.newDraft('scan', { node: n, source: 0 });
    const { dim, reverse } = n.attrs as ScanAttrs;
    const { at, vars } = this.loops(d, n.shape);
    const v = n.shape[dim] === 1 ? null : loopVarOf(at[dim]!.terms[0]![0])!;
    for (const x of vars) d.fixed.add(x);
    const others = vars.filter(x => x !== v);
    d.blocks.push({ vars: others }, { vars: v === null ? [] : [v] });
    const index = reverse
      ? at.map((a, k) => (k === dim ? addScaled(constAffine(n.shape[dim]! - 1), a, -1) : a))
      : at;
    this.addWriter(n, d);
    const scope = wholeScope(d);
    d.stores.push({ node: n, at: index, scope });
    for (const s of n.src) this.use(s, { draft: d, at: index, scope, need: 'value' });
  }
  /** The sources of a join written to their places: those of one shape side by side, with what they share computed once. */
  private ownJoin(n: Node): void {
    const equal = n.src.length <= MAX_JOINED && n.src.every(s => sameShape(s.shape, n.src[0]!.shape));
    let start = 0;
    let d: Draft | null = null;
    let at: Affine[] = [];
    for (const s of n.src) {
      if (numel(s.shape) === 0) continue;
      if (d === null || !equal) {
        d = this.newDraft('join', { node: n, source: 0 });
        const loops = this.loops(d, s.shape);
        at = loops.at;
        d.blocks.push({ vars: loops.vars });
        this.addWriter(n, d);
      }
      const to = at.map((a, k) => (k === joinDim(n) ? addScaled(constAffine(start), a, 1) : a));
      const scope = wholeScope(d);
      d.stores.push({ node: n, at: to, scope, from: { node: s, at } });
      this.use(s, { draft: d, at, scope, need: 'value' });
      start += s.shape[joinDim(n)]!;
    }
  }
  private ownScatter(n: Node): void {
    const first = this.newDraft('join', { node: n, source: 0 });
    const base = this.loops(first, n.shape);
    first.blocks.push({ vars: base.vars });
    this.addWriter(n, first);
    const scope = wholeScope(first);
    first.stores.push({ node: n, at: base.at, scope, from: { node: n.src[0]!, at: base.at } });
    this.use(n.src[0]!, { draft: first, at: base.at, scope, need: 'value' });

    const values = n.src[1]!;
    if (numel(values.shape) === 0) return;
    const { dims } = n.attrs as ScatterAttrs;
    const d = this.newDraft('scatter', { node: n, source: 1 });
    d.after.push(first);
    const { at, vars } = this.loops(d, values.shape);
    d.blocks.push({ vars });
    const lead = values.shape.length - (n.shape.length - dims.length);
    this.addWriter(n, d);
    const whole = wholeScope(d);
    d.stores.push({ node: n, at, scope: whole });
    this.use(values, { draft: d, at, scope: whole, need: 'value' });
    n.src.slice(2).forEach(s => {
      this.use(s, { draft: d, at: alignIndex(at.slice(0, lead), s.shape), scope: whole, need: 'value' });
    });
  }

  private stepsDraft(node: Node): Draft | undefined {
    return this.drafts.find(d => d.part?.node === node);
  }
  private resultOfSteps(n: Node): void {
    const node = n.src[0]!;
    const d = this.stepsDraft(node) ?? this.newDraft('steps', { node, source: 0 });
    this.addWriter(n, d);
    d.stores.push({ node: n, at: [], scope: wholeScope(d) });
  }
  private bodyOf(d: Draft): StepsBody {
    return stepsRule.plan!(
      d.part!.node,
      d.stores.map(s => s.node),
      this.limits,
    );
  }
  /** All results that anybody wants are known by now. */
  private ownSteps(n: Node): void {
    const d = this.stepsDraft(n);
    if (d === undefined) return;
    const b = this.bodyOf(d);
    for (const s of b.reads) this.use(s, { draft: d, at: [], scope: wholeScope(d), need: 'exact' });
  }

  // ---- phase 2: kernels ------------------------------------------------------------------------------------------

  private build(): Kernel[] {
    const built = new Map<Draft, Kernel>();
    const valueFor = (n: Node): Value => this.valueFor(n);
    for (const d of this.drafts) {
      const own = d.kind === 'steps' ? this.bodyOf(d) : new KernelBuilder(d, this.writers, valueFor);
      built.set(d, own.build(valueFor));
    }
    // A kernel runs after those that write what it reads; otherwise in the order of the program.
    const rank = (d: Draft): number =>
      Math.max(
        -1,
        ...d.stores.map(s => this.position.get(s.node)!),
        d.part ? this.position.get(d.part.node)! : -1,
      );
    const out: Kernel[] = [];
    const state = new Map<Draft, 1 | 2>();
    const place = (d: Draft): void => {
      const s = state.get(d);
      if (s === 2) return;
      if (s === 1) throw new Error('fuse: kernels depend on each other');
      state.set(d, 1);
      for (const a of d.after) place(a);
      const k = built.get(d)!;
      const writes = new Set(d.stores.map(st => st.node));
      for (const v of k.buffers) {
        if (v.kind !== 'computed' || writes.has(v.node) || d.part?.node === v.node) continue;
        for (const w of this.writers.get(v.node) ?? []) if (w !== d) place(w);
      }
      state.set(d, 2);
      out.push(k);
    };
    for (const d of [...this.drafts].sort((a, b) => rank(a) - rank(b))) place(d);
    return out;
  }
}

/** Sizes of the dims that a reduction runs over. */
const rangesOf = (n: Node): number[] => (n.attrs as ReduceAttrs).dims.map(d => n.src[0]!.shape[d]!);
/** Kernels that may store what they compute along the way. */
const HOSTS: ReadonlySet<Draft['kind']> = new Set(['loop', 'join']);
type OwnNode = Node<{ readonly output: number }>;
/** Whether two nodes are results of one run of their op's kernel. */
const isOneRun = (a: Node, b: Node): boolean =>
  a.op === b.op &&
  a.src.length === b.src.length &&
  a.src.every((s, i) => s === b.src[i]) &&
  sameValue({ ...(a.attrs as object), output: 0 }, { ...(b.attrs as object), output: 0 });
/** Kinds whose result is never just another store of somebody's loops. */
const OWN_KERNEL: ReadonlySet<Node['op']['kind']> = new Set([
  'scan',
  'join',
  'host',
  'scatter',
  'contraction',
  'part',
  'composite',
]);
let opaque = 1 << 20;
