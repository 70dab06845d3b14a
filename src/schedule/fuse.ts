// Graph to kernels. Every kernel computes one or more results with everything else inlined; the question is which
// nodes get memory. Nodes are visited from results to sources: a node whose users all sit in one kernel joins that
// kernel where its loops allow it, and gets memory otherwise.
// In: simplified roots, a device's limits. Out: values and kernels in a valid order. Not its job: memory, code.

import { byteWidth, DTYPES } from '../base/dtype.ts';
import type { Shape } from '../base/shape.ts';
import { numel } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { toposort } from '../ir/node.ts';
import { type MatmulAttrs, matmulDims } from '../ir/ops/contract.ts';
import { CHECK, elementOf, isConst, uniformDef } from '../ir/ops/elementwise.ts';
import type { ScatterAttrs, TakeAttrs } from '../ir/ops/index.ts';
import { joinDim, padFill } from '../ir/ops/movement.ts';
import { FOLD_ADD, type ReduceAttrs, type ScanAttrs } from '../ir/ops/reduce.ts';
import type { Affine, E, LoadData, ReduceData } from '../ir/scalar.ts';
import {
  accOf,
  addScaled,
  asAffine,
  checked,
  constAffine,
  Exprs,
  indexOf,
  isMathOp,
  LoopVar,
  load,
  m,
  reduce,
  varOf,
  withExprs,
} from '../ir/scalar.ts';
import { bounds, type Cut, keyOfAll, linear, loopVarOf, reshapeIndex } from './affine.ts';
import type {
  GemmKernel,
  HostKernel,
  Kernel,
  KernelStore,
  Limits,
  LoopKernel,
  Schedule,
  Value,
} from './kernel.ts';

/** Loops that belong together: their order among themselves is free. Splitting keeps the object for the inner part. */
interface Block {
  vars: LoopVar[];
}
/** The loops around a use: those of `parent`, then `list` up to and including `end`. */
interface Scope {
  readonly parent: Scope | null;
  readonly list: Block[];
  readonly end: Block | null;
}
interface Use {
  readonly draft: Draft;
  readonly at: readonly Affine[];
  readonly scope: Scope;
  /** loop: any expression will do; operand: must be an index into memory; exact: this very node must have memory. */
  readonly need: 'value' | 'operand' | 'exact';
}
interface DraftStore {
  readonly node: Node;
  readonly at: readonly Affine[];
  readonly scope: Scope;
}
interface Draft {
  readonly id: number;
  readonly kind: 'loop' | 'scan' | 'join' | 'scatter' | 'host';
  readonly exprs: Exprs;
  readonly blocks: Block[];
  readonly stores: DraftStore[];
  /** The matrix product whose tiles this kernel finishes. */
  core: { node: Node; at: readonly Affine[] } | null;
  /** Loops that were cut: v = outer·size + inner. */
  readonly cuts: Map<LoopVar, { outer: LoopVar; inner: LoopVar }>;
  readonly fixed: Set<LoopVar>;
  /** Row reductions are in: no matrix product may join. */
  hasReduce: boolean;
  inlined: number;
  /** Loops of reductions inside. */
  loops: number;
  /** join, scatter, scan, host: the node it is for, and which source. */
  readonly part: { node: Node; source: number } | null;
  /** Drafts that must have run before. */
  readonly after: Draft[];
}

/** Thrown when a kernel cannot be built as planned; the node then gets memory and planning starts over. */
class NeedsMemory {
  readonly node: Node;
  constructor(node: Node) {
    this.node = node;
  }
}

const MAX_INLINED = 400;
/** Loops that one kernel can tell apart. */
const MAX_LOOPS = 20;
const CHEAP = 4;
const COSTLY = 8;
const FEW_ROWS = 8;
const MUCH = 32768;

export function fuse(
  roots: readonly Node[],
  limits: Limits,
): Schedule & { valueFor: (n: Node) => Value | undefined } {
  const forced = new Set<Node>();
  for (let attempt = 0; ; attempt++) {
    try {
      return new Fuser(roots, limits, forced).run();
    } catch (e) {
      if (!(e instanceof NeedsMemory) || attempt > 200) throw e;
      forced.add(e.node);
    }
  }
}

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

  constructor(roots: readonly Node[], limits: Limits, forced: ReadonlySet<Node>) {
    this.limits = limits;
    this.forced = forced;
    this.isRoot = new Set(roots);
    this.order = toposort(roots);
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
      stores: [],
      core: null,
      cuts: new Map(),
      fixed: new Set(),
      hasReduce: false,
      inlined: 0,
      loops: 0,
      part,
      after: [],
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
    if (kind === 'scan' || kind === 'join' || kind === 'host' || kind === 'scatter') return false;
    if (kind === 'index') {
      if (drafts.size > 1 || uses.length > 2) return false;
      return this.passOn(n, uses);
    }
    if (kind === 'contraction') return this.inlineMatmul(n, uses, drafts);
    if (kind === 'reduce') {
      if (drafts.size > 1 || uses.length > 1 || !this.roomIn(uses)) return false;
      const use = uses[0]!;
      const at = this.hoist(
        use,
        (n.attrs as ReduceAttrs).dims.map(d => n.src[0]!.shape[d]!),
      );
      if (at === null) return false;
      return this.passOn(n, [{ ...use, scope: at }]);
    }
    // elementwise
    const cost = this.costUp[position]!;
    if (drafts.size > 1 && (cost > CHEAP || this.loadsUp[position]! > 2)) return false;
    if (uses.length > 2 * drafts.size && cost > CHEAP) return false;
    if (!this.roomIn(uses)) return false;
    if (cost < COSTLY) return this.passOn(n, uses);
    // A costly value that some loops do not change is computed outside of them, or not here.
    const placed: Use[] = [];
    for (const u of uses) {
      if (evaluations(u) <= 2 * Math.max(1, numel(n.shape))) placed.push(u);
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
    if (d.core !== null || d.kind !== 'loop' || d.loops >= MAX_LOOPS) return null;
    const place = placeOf(use);
    if (place === null) return null;
    // Much work inside few outer loops leaves the other threads idle: better a kernel of its own.
    const row = sizes.reduce((p, s) => p * s, 1);
    if (place.rootRows < FEW_ROWS && place.rows * row >= MUCH) return null;
    if (!this.splitAt(d, place)) return null;
    d.hasReduce = true;
    d.loops += sizes.length;
    return place.scope();
  }
  /** The scope right inside the loops that a value depends on, with the others further in. */
  private outward(use: Use): Scope | null {
    const place = placeOf(use);
    if (place === null || use.draft.core !== null || !this.splitAt(use.draft, place)) return null;
    return place.scope();
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
    const { M, N, K } = matmulDims(n.src[0]!, n.src[1]!, n.attrs as MatmulAttrs);
    if (!this.limits.gemm(M, N, K, n.dtype)) {
      if (!this.roomIn(uses)) return false;
      const at = this.hoist(use, [K]);
      return at !== null && this.passOn(n, [{ ...use, scope: at }]);
    }
    if (d.kind !== 'loop' || d.core !== null || d.hasReduce || !isIdentity(use, d) || d.inlined > 24)
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
      const kAt = asAffine(varOf(new LoopVar(matmulDims(n.src[0]!, n.src[1]!, n.attrs as MatmulAttrs).K)));
      operandIndices(n, at, kAt).forEach((a, i) => {
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
      const k = new LoopVar(matmulDims(n.src[0]!, n.src[1]!, n.attrs as MatmulAttrs).K);
      const block: Block = { vars: [k] };
      const scope: Scope = { parent: u.scope, list: [block], end: block };
      return operandIndices(n, u.at, asAffine(varOf(k))).map(at => ({ at, scope, need: 'value' as const }));
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
        const at = this.hoist(
          host,
          (n.attrs as ReduceAttrs).dims.map(k => n.src[0]!.shape[k]!),
        );
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
      case 'scan':
        this.ownScan(n);
        return;
      case 'join':
        n.src.forEach((_, i) => {
          this.ownPart(n, i);
        });
        return;
      case 'scatter':
        this.ownScatter(n);
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
      const { M, N, K } = matmulDims(n.src[0]!, n.src[1]!, n.attrs as MatmulAttrs);
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
    if (OWN_KERNEL.has(kind) || n.op.relabels) return null;
    const costly = this.costUp[this.position.get(n)!]! >= COSTLY;
    for (const u of uses) {
      const d = u.draft;
      if (uses.some(o => o.draft === d && o.need !== 'value')) continue;
      if (u.need !== 'value' || d.kind !== 'loop' || u.scope.parent !== null) continue;
      if (d.stores.length >= 8 || d.inlined > MAX_INLINED / 2) continue;
      if (kind === 'reduce' && d.core !== null) continue;
      if (d.core !== null && d.stores.length >= 3) continue;
      // A costly value that the kernel also needs elsewhere in a row would be computed there again.
      if (costly && uses.some(o => o !== u && o.draft === d)) continue;
      if (d.core !== null && levelOf(u, d) !== d.blocks[d.blocks.length - 1]) continue;
      if (uses.some(o => o.draft !== d && this.dependsOn(d, o.draft))) continue;
      const level = levelOf(u, d) ?? this.newLevel(u);
      if (level === undefined) continue;
      return { ...u, scope: { parent: null, list: d.blocks, end: level } };
    }
    return null;
  }

  /** Splits the loops of the kernel so that the use stands right inside some of them. */
  private newLevel(u: Use): Block | undefined {
    const place = runsOverLoops(u) ? placeOf(u) : null;
    if (place === null || place.split === null || !this.splitAt(u.draft, place)) return undefined;
    return place.last!.block;
  }

  /** Whether d needs a result of `other`, directly or through further kernels. */
  private dependsOn(d: Draft, other: Draft): boolean {
    const seen = new Set<Node>();
    const seenDrafts = new Set<Draft>();
    const stack: Node[] = [];
    const enter = (x: Draft): void => {
      if (seenDrafts.has(x)) return;
      seenDrafts.add(x);
      for (const s of x.stores) stack.push(s.node);
      if (x.part !== null) stack.push(x.part.node);
    };
    enter(d);
    while (stack.length > 0) {
      const n = stack.pop()!;
      if (seen.has(n)) continue;
      seen.add(n);
      for (const w of this.writers.get(n) ?? []) {
        if (w === other) return true;
        enter(w);
      }
      if (n.value === null) for (const s of n.src) stack.push(s);
    }
    return false;
  }

  private ownHost(n: Node): void {
    const d = this.newDraft('host', { node: n, source: 0 });
    this.addWriter(n, d);
    for (const s of n.src) this.use(s, { draft: d, at: [], scope: wholeScope(d), need: 'exact' });
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
  /** One source of a join, written to its place. */
  private ownPart(n: Node, i: number): void {
    const s = n.src[i]!;
    if (numel(s.shape) === 0) return;
    const d = this.newDraft('join', { node: n, source: i });
    const { at, vars } = this.loops(d, s.shape);
    d.blocks.push({ vars });
    let start = 0;
    for (let j = 0; j < i; j++) start += n.src[j]!.shape[joinDim(n)]!;
    const to = at.map((a, k) => (k === joinDim(n) ? addScaled(constAffine(start), a, 1) : a));
    this.addWriter(n, d);
    const scope = wholeScope(d);
    d.stores.push({ node: n, at: to, scope });
    this.use(s, { draft: d, at, scope, need: 'value' });
  }
  private ownScatter(n: Node): void {
    const first = this.newDraft('join', { node: n, source: 0 });
    const base = this.loops(first, n.shape);
    first.blocks.push({ vars: base.vars });
    this.addWriter(n, first);
    const scope = wholeScope(first);
    first.stores.push({ node: n, at: base.at, scope });
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

  // ---- phase 2: kernels ------------------------------------------------------------------------------------------

  private build(): Kernel[] {
    const built = new Map<Draft, Kernel>();
    for (const d of this.drafts)
      built.set(d, new KernelBuilder(d, this.writers, n => this.valueFor(n)).build());
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

/** Kinds whose result is never just another store of somebody's loops. */
const OWN_KERNEL: ReadonlySet<Node['op']['kind']> = new Set([
  'scan',
  'join',
  'host',
  'scatter',
  'contraction',
]);
let opaque = 1 << 20;

// ---- scopes ------------------------------------------------------------------------------------------------------

const wholeScope = (d: Draft): Scope => ({
  parent: null,
  list: d.blocks,
  end: d.blocks[d.blocks.length - 1] ?? null,
});
const rootList = (s: Scope): Block[] => (s.parent === null ? s.list : rootList(s.parent));
/** All blocks around a use, from outside in. */
function visible(s: Scope | null): { scope: Scope; block: Block }[] {
  if (s === null) return [];
  const out = visible(s.parent);
  if (s.end === null) return out;
  for (const block of s.list) {
    out.push({ scope: s, block });
    if (block === s.end) break;
  }
  return out;
}
/** The loops that an index depends on; null where it is computed at run time. */
function varsOf(at: readonly Affine[]): Set<LoopVar> | null {
  const out = new Set<LoopVar>();
  for (const a of at) {
    for (const [e] of a.terms) {
      const v = loopVarOf(e);
      if (v === null) return null;
      out.add(v);
    }
  }
  return out;
}
/** The loops that a use depends on, as a prefix of the loops around it. */
interface Place {
  /** Combinations of those loops; of the kernel's own among them. */
  readonly rows: number;
  readonly rootRows: number;
  /** A block of which only some loops count: it has to be split. */
  readonly split: { scope: Scope; block: Block; mine: LoopVar[] } | null;
  last: { scope: Scope; block: Block } | null;
  scope(): Scope;
}
/** Null where the loops are no prefix, or the index is computed at run time. */
function placeOf(use: Use): Place | null {
  const free = varsOf(use.at);
  if (free === null) return null;
  const left = new Set(free);
  let rows = 1;
  let rootRows = 1;
  let last: Place['last'] = null;
  let split: Place['split'] = null;
  let done = false;
  for (const { scope, block } of visible(use.scope)) {
    const mine = block.vars.filter(v => left.has(v));
    if (done) {
      if (mine.length > 0) return null;
      continue;
    }
    if (mine.length === block.vars.length) last = { scope, block };
    else {
      done = true;
      if (mine.length > 0) split = { scope, block, mine };
    }
    for (const v of mine) {
      left.delete(v);
      rows *= v.size;
      if (scope.parent === null) rootRows *= v.size;
    }
  }
  if (left.size > 0) return null;
  return {
    rows,
    rootRows,
    split,
    last,
    scope(): Scope {
      if (this.last === null) return { parent: null, list: rootList(use.scope), end: null };
      return { parent: this.last.scope.parent, list: this.last.scope.list, end: this.last.block };
    },
  };
}
/** How often a value at this use would be computed: all loops up to the last one it depends on. */
function evaluations(u: Use): number {
  const free = varsOf(u.at);
  let total = 1;
  let upto = 1;
  for (const { block } of visible(u.scope)) {
    for (const v of block.vars) total *= v.size;
    if (free === null || block.vars.some(v => free.has(v))) upto = total;
  }
  return upto;
}
/** Whether the use is at exactly the loops of the whole kernel, each once. */
function isIdentity(u: Use, d: Draft): boolean {
  return (
    u.scope.parent === null && levelOf(u, d) === (d.blocks[d.blocks.length - 1] ?? null) && u.need === 'value'
  );
}
/** The loops of an index whose every dim is one loop with stride 1, or a constant 0; null for others. */
function runsOverLoops(u: Use): Set<LoopVar> | null {
  const seen = new Set<LoopVar>();
  for (const a of u.at) {
    if (a.c !== 0 || a.terms.length > 1) return null;
    if (a.terms.length === 0) continue;
    const [e, k] = a.terms[0]!;
    const v = loopVarOf(e);
    if (v === null || k !== 1 || seen.has(v)) return null;
    seen.add(v);
  }
  return seen;
}
/** The block up to which the use runs over all loops, each once and with stride 1; undefined where it does not. */
function levelOf(u: Use, d: Draft): Block | null | undefined {
  const seen = runsOverLoops(u);
  if (seen === null) return undefined;
  let last: Block | null = null;
  let left = seen.size;
  for (const b of d.blocks) {
    if (left === 0) break;
    if (!b.vars.every(v => seen.has(v))) return undefined;
    left -= b.vars.length;
    last = b;
  }
  if (left !== 0) return undefined;
  // Loops of size 1 were dropped: an empty last block still belongs to the whole.
  if (d.blocks.every(b => b.vars.every(v => seen.has(v)))) return d.blocks[d.blocks.length - 1] ?? null;
  return last;
}

// ---- indices of sources ------------------------------------------------------------------------------------------

/** The index of a broadcast source. */
function alignIndex(at: readonly Affine[], shape: Shape): Affine[] {
  const lead = at.length - shape.length;
  return shape.map((n, d) => (n === 1 ? constAffine(0) : at[lead + d]!));
}
function reduceIndex(
  at: readonly Affine[],
  rank: number,
  dims: readonly number[],
  keepdim: boolean,
  vars: readonly LoopVar[],
): Affine[] {
  const out: Affine[] = [];
  let o = 0;
  for (let d = 0; d < rank; d++) {
    const r = dims.indexOf(d);
    if (r >= 0) {
      out.push(vars[r]!.size === 1 ? constAffine(0) : asAffine(varOf(vars[r]!)));
      if (keepdim) o++;
    } else out.push(at[o++]!);
  }
  return out;
}
/** Indices of both operands of a product at [batch…, i, j] and k. */
function operandIndices(n: Node, at: readonly Affine[], k: Affine): Affine[][] {
  const { ta, tb } = n.attrs as MatmulAttrs;
  const batch = at.slice(0, -2);
  const i = at[at.length - 2]!;
  const j = at[at.length - 1]!;
  const of = (s: Node, row: Affine, col: Affine): Affine[] => {
    const rank = s.shape.length;
    const lead = alignIndex(batch, s.shape.slice(0, rank - 2));
    const tail = [row, col].map((a, x) => (s.shape[rank - 2 + x] === 1 ? constAffine(0) : a));
    return [...lead, ...tail];
  };
  return [of(n.src[0]!, ta ? k : i, ta ? i : k), of(n.src[1]!, tb ? j : k, tb ? k : j)];
}
function takeIndex(rest: readonly Affine[], dims: readonly number[], computed: readonly Affine[]): Affine[] {
  const out: Affine[] = [];
  let r = 0;
  const rank = rest.length + dims.length;
  for (let d = 0; d < rank; d++) {
    const i = dims.indexOf(d);
    out.push(i >= 0 ? computed[i]! : rest[r++]!);
  }
  return out;
}

// ---- building one kernel -----------------------------------------------------------------------------------------

const GEMM_ACC = 1 << 19;
const SCAN_ACC = GEMM_ACC + 1;

class KernelBuilder {
  private readonly d: Draft;
  private readonly writers: ReadonlyMap<Node, readonly Draft[]>;
  private readonly valueFor: (n: Node) => Value;
  private readonly buffers: Value[] = [];
  private readonly bufferIndex = new Map<Value, number>();
  private memo = new Map<Node, Map<string, E>>();
  private readonly reduceVars: LoopVar[][] = [];
  private ordinal = 0;
  private readonly nodes = new Set<Node>();
  private readonly own: ReadonlySet<Node>;

  constructor(d: Draft, writers: ReadonlyMap<Node, readonly Draft[]>, valueFor: (n: Node) => Value) {
    this.d = d;
    this.writers = writers;
    this.valueFor = valueFor;
    this.own = new Set(d.stores.map(s => s.node));
  }

  build(): Kernel {
    const d = this.d;
    if (d.kind === 'host') {
      const { node } = d.part!;
      const buffers = [...node.src, node].map(this.valueFor);
      return {
        kind: 'host',
        buffers,
        node,
        nodes: [node],
        work: numel(node.shape) * 100,
      } satisfies HostKernel;
    }
    return withExprs(() => {
      // Cutting a loop changes indices that were already used: start over with the cut in place.
      for (;;) {
        this.memo = new Map();
        this.ordinal = 0;
        try {
          return d.core !== null ? this.gemm() : this.loop();
        } catch (e) {
          if (e !== AGAIN) throw e;
        }
      }
    }, d.exprs);
  }

  private buffer(v: Value): number {
    let i = this.bufferIndex.get(v);
    if (i === undefined) {
      i = this.buffers.push(v) - 1;
      this.bufferIndex.set(v, i);
    }
    return i;
  }

  private blocks(): LoopVar[][] {
    return this.d.blocks.map(b => b.vars.filter(v => v.size !== 1));
  }
  private depthOf(s: DraftStore): number {
    if (s.scope.end === null) return 0;
    return this.d.blocks.indexOf(s.scope.end) + 1;
  }

  private loop(): LoopKernel {
    const d = this.d;
    const part = d.part;
    let scan: LoopKernel['scan'] = null;
    let serial: LoopVar[] = [];
    const stores: KernelStore[] = [];
    for (const s of d.stores) {
      const at = s.at.map(a => this.now(a));
      let value: E;
      // The loops of a scatter run over its values, which may have fewer dims than the base.
      let to = d.kind === 'scatter' ? null : linear(at, s.node.shape);
      let mode: KernelStore['mode'] = 'set';
      if (d.kind === 'join') value = this.expr(part!.node.src[part!.source]!, this.partIndex(at), null);
      else if (d.kind === 'scan') {
        const n = s.node;
        const inputs = n.src.map(x => this.expr(x, at, null));
        const block = d.blocks[1]!.vars[0];
        const type = DTYPES[n.src[n.src.length - 1]!.dtype].compute;
        const acc = accOf(SCAN_ACC, n.op.fold!.positional ? 'i32' : type, 1);
        scan = { v: block ?? new LoopVar(1), fold: n.op.fold!, inputs, acc };
        value = m.convert(acc, DTYPES[n.dtype].compute);
      } else if (d.kind === 'scatter') {
        const n = s.node;
        const { dims, mode: how } = n.attrs as ScatterAttrs;
        value = this.expr(n.src[1]!, at, null);
        const lead = at.length - (n.shape.length - dims.length);
        const index = this.checkedIndices(n.src.slice(2), at.slice(0, lead), dims, n.shape, null);
        to = linear(takeIndex(at.slice(lead), dims, index), n.shape);
        mode = how;
        const moving = varsOf(at.slice(0, lead))!;
        serial = [...moving];
      } else value = this.compute(s.node, at, null);
      stores.push({
        buffer: this.buffer(this.valueFor(s.node)),
        at: to!,
        dtype: s.node.dtype,
        value,
        depth: this.depthOf(s),
        mode,
      });
    }
    const kernel = {
      kind: 'loop' as const,
      buffers: this.buffers,
      blocks: this.blocks(),
      stores,
      scan,
      serial,
      exprs: d.exprs,
      nodes: [...this.nodes],
    };
    return { ...kernel, work: workOf(kernel) };
  }
  /** Where in its source an element of a join comes from: the loops run over the source. */
  private partIndex(at: readonly Affine[]): Affine[] {
    const { node, source } = this.d.part!;
    if (node.op.kind !== 'join') return [...at];
    let start = 0;
    for (let j = 0; j < source; j++) start += node.src[j]!.shape[joinDim(node)]!;
    return at.map((a, k) => (k === joinDim(node) ? { c: a.c - start, terms: a.terms } : a));
  }

  private gemm(): GemmKernel {
    const d = this.d;
    const { node, at } = d.core!;
    const type = DTYPES[node.dtype].compute;
    const acc = accOf(GEMM_ACC, type, 1);
    const loopAt = (a: Affine): LoopVar => {
      const v = a.terms.length === 0 ? null : loopVarOf(a.terms[0]![0]);
      return v ?? new LoopVar(1);
    };
    const i = loopAt(at[at.length - 2]!);
    const j = loopAt(at[at.length - 1]!);
    const k = new LoopVar(matmulDims(node.src[0]!, node.src[1]!, node.attrs as MatmulAttrs).K);
    const operands = operandIndices(node, at, asAffine(varOf(k))).map((a, x) => {
      const e = this.expr(node.src[x]!, a, null);
      if (e.op !== 'load' || e.args.length > 0) throw new NeedsMemory(node.src[x]!);
      const data = e.data as LoadData;
      return { buffer: data.buffer, at: data.at };
    });
    this.memo.set(node, new Map([[keyOfAll(at), acc]]));
    this.nodes.add(node);
    const stores = d.stores.map(
      (s): KernelStore => ({
        buffer: this.buffer(this.valueFor(s.node)),
        at: linear(s.at, s.node.shape),
        dtype: s.node.dtype,
        value: this.compute(s.node, s.at, null),
        depth: this.depthOf(s),
        mode: 'set',
      }),
    );
    const batch = this.blocks()
      .flat()
      .filter(v => v !== i && v !== j);
    const total = batch.reduce((p, v) => p * v.size, 1) * i.size * j.size;
    return {
      kind: 'gemm',
      buffers: this.buffers,
      batch,
      i,
      j,
      k,
      a: operands[0]!,
      b: operands[1]!,
      acc,
      stores,
      exprs: d.exprs,
      nodes: [...this.nodes],
      work: total * k.size,
    };
  }

  private now(at: Affine): Affine {
    let out = constAffine(at.c);
    for (const [e, k] of at.terms) {
      const v = loopVarOf(e);
      const cut = v === null ? undefined : this.d.cuts.get(v);
      if (cut === undefined) out = addScaled(out, asAffine(e), k);
      else {
        const whole = addScaled(asAffine(varOf(cut.inner)), asAffine(varOf(cut.outer)), cut.inner.size);
        out = addScaled(out, this.now(whole), k);
      }
    }
    return out;
  }

  /** The value of n at an index: from memory where it has some, computed here otherwise. */
  private expr(n: Node, at: readonly Affine[], guard: E | null): E {
    if (numel(n.shape) === 0) return m.const(0, DTYPES[n.dtype].compute); // never evaluated
    if (n.value !== null || n.op.bound || (this.writers.has(n) && !this.own.has(n))) {
      return this.read(n, linear(at, n.shape), guard);
    }
    return this.compute(n, at, guard);
  }
  private read(n: Node, at: Affine, guard: E | null): E {
    const v = this.valueFor(n);
    // Indices and labels are stored as int64; kernels need their low word only.
    return load(this.buffer(v), at, n.dtype, DTYPES[n.dtype].compute, guard);
  }

  private compute(n: Node, at: readonly Affine[], guard: E | null): E {
    let byIndex = this.memo.get(n);
    if (byIndex === undefined) {
      byIndex = new Map();
      this.memo.set(n, byIndex);
    }
    const key = guard === null ? keyOfAll(at) : `${keyOfAll(at)}?${guard.id}`;
    const had = byIndex.get(key) ?? byIndex.get(keyOfAll(at));
    if (had !== undefined) return had;
    this.nodes.add(n);
    const e = this.make(n, at, guard);
    byIndex.set(key, e);
    return e;
  }

  private make(n: Node, at: readonly Affine[], guard: E | null): E {
    switch (n.op.kind) {
      case 'source':
        return elementOf(n, []);
      case 'movement':
        return this.move(n, at, guard);
      case 'reduce': {
        const x = n.src[0]!;
        const { dims, keepdim } = n.attrs as ReduceAttrs;
        const vars = this.varsFor(dims.map(k => x.shape[k]!));
        const index = reduceIndex(at, x.shape.length, dims, keepdim, vars).map(a => this.now(a));
        const body = this.expr(x, index, guard);
        const live = this.live(vars);
        const fold = n.op.fold!;
        if (!fold.positional) return reduce(fold, live, body, null, body.type);
        const within = linear(
          dims.map(k => index[k]!),
          dims.map(k => x.shape[k]!),
        );
        return m.convert(reduce(fold, live, body, indexOf(within), 'i32'), DTYPES[n.dtype].compute);
      }
      case 'contraction': {
        const [k] = this.varsFor([matmulDims(n.src[0]!, n.src[1]!, n.attrs as MatmulAttrs).K]);
        const kAt = k!.size === 1 ? constAffine(0) : asAffine(varOf(k!));
        const [a, b] = operandIndices(n, at, this.now(kAt)).map((x, i) => this.expr(n.src[i]!, x, guard));
        const body = m.mul(a!, b!);
        return reduce(FOLD_ADD, this.live([k!]), body, null, body.type);
      }
      case 'index': {
        const { dims } = n.attrs as TakeAttrs;
        const x = n.src[0]!;
        const lead = at.length - (x.shape.length - dims.length);
        const index = this.checkedIndices(n.src.slice(1), at.slice(0, lead), dims, x.shape, guard);
        return this.expr(x, takeIndex(at.slice(lead), dims, index), guard);
      }
      default: {
        const args = n.src.map(s => this.expr(s, alignIndex(at, s.shape), guard));
        if (n.op.usesPosition) args.push(indexOf(linear(at, n.shape)));
        return elementOf(n, args);
      }
    }
  }

  private checkedIndices(
    nodes: readonly Node[],
    at: readonly Affine[],
    dims: readonly number[],
    shape: Shape,
    guard: E | null,
  ): Affine[] {
    return nodes.map((n, i) => {
      const size = shape[dims[i]!]!;
      const raw = lowWord(this.expr(n, alignIndex(at, n.shape), guard));
      if (raw.op === 'const' && Number(raw.value) >= 0 && Number(raw.value) < size) return asAffine(raw);
      if (raw.op === 'index' || raw.op === 'var') {
        const b = bounds(asAffine(raw));
        if (b !== null && b[0] >= 0 && b[1] < size) return asAffine(raw);
      }
      const good = m.and(m.le(m.const(0, 'i32'), raw), m.lt(raw, m.const(size, 'i32')));
      return asAffine(checked(raw, good, CHECK.index, 0));
    });
  }

  private varsFor(sizes: readonly number[]): LoopVar[] {
    const i = this.ordinal++;
    let vars = this.reduceVars[i];
    if (vars === undefined) {
      vars = sizes.map(s => new LoopVar(s));
      this.reduceVars[i] = vars;
    }
    return vars;
  }
  /** The loops that a list of variables has become. */
  private live(vars: readonly LoopVar[]): LoopVar[] {
    return vars.flatMap(v => {
      const cut = this.d.cuts.get(v);
      if (cut !== undefined) return this.live([cut.outer, cut.inner]);
      return v.size === 1 ? [] : [v];
    });
  }

  private move(n: Node, at: readonly Affine[], guard: E | null): E {
    const x = n.src[0]!;
    if (!n.op.relabels) {
      const r = n.op.index!(at, n);
      if (r.guard == null) return this.expr(x, r.at, guard);
      const inner = guard === null ? r.guard : m.and(guard, r.guard);
      const value = this.expr(x, r.at, inner);
      return m.select(r.guard, value, m.const(padFill(n), value.type));
    }
    if (x.value !== null || x.op.bound || (this.writers.has(x) && !this.own.has(x))) {
      return this.read(x, linear(at, n.shape), guard);
    }
    const r = reshapeIndex(at, n.shape, x.shape);
    if (r === null) throw new NeedsMemory(x);
    if ('v' in r) {
      if (this.d.fixed.has(r.v) || this.d.cuts.has(r.v)) throw new NeedsMemory(x);
      const outer = new LoopVar(r.v.size / r.inner);
      const inner = new LoopVar(r.inner);
      this.d.cuts.set(r.v, { outer, inner });
      for (const b of this.d.blocks) {
        const i = b.vars.indexOf(r.v);
        if (i >= 0) b.vars.splice(i, 1, outer, inner);
      }
      throw AGAIN;
    }
    return this.expr(x, r, guard);
  }
}
const AGAIN = Symbol('build the kernel again');

/** An integer index as i32: of an int64 in memory only the low word is read. */
function lowWord(e: E): E {
  if (e.type !== 'i64') return e;
  if (e.op === 'convert' && e.args[0]!.type === 'i32') return e.args[0]!;
  if (e.op === 'select') return m.select(e.args[0]!, lowWord(e.args[1]!), lowWord(e.args[2]!));
  return m.convert(e, 'i32');
}

/** Scalar operations of a kernel, about: each expression counts once per combination of the loops it depends on. */
function workOf(k: Pick<LoopKernel, 'stores' | 'scan' | 'blocks'>): number {
  const memo = new Map<E, { vars: ReadonlySet<LoopVar>; inner: number }>();
  let total = 0;
  const walk = (e: E): ReadonlySet<LoopVar> => {
    const had = memo.get(e);
    if (had !== undefined) return had.vars;
    const vars = new Set<LoopVar>();
    memo.set(e, { vars, inner: 0 });
    if (e.op === 'var') vars.add(e.data as LoopVar);
    const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
    for (const [t] of at?.terms ?? []) for (const v of walk(t)) vars.add(v);
    for (const a of e.args) for (const v of walk(a)) vars.add(v);
    let count = 1;
    for (const v of vars) count *= v.size;
    total += count * (isMathOp(e.op) ? 12 : e.op === 'div' || e.op === 'sqrt' ? 4 : e.op === 'const' ? 0 : 1);
    if (e.op === 'reduce') for (const v of (e.data as ReduceData).vars) vars.delete(v);
    return vars;
  };
  for (const s of k.stores) {
    walk(s.value);
    let count = 1;
    for (const b of k.blocks.slice(0, s.depth)) for (const v of b) count *= v.size;
    total += count;
  }
  for (const e of k.scan?.inputs ?? []) walk(e);
  return total;
}
