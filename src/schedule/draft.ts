// A kernel in the making: its loops, what it stores, and where in its loops a value is used.
// In: uses of nodes. Out: which loops a use depends on, and whether it stands right inside some of them.
// Not its job: deciding what joins a kernel (fuse.ts).

import { numel } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import type { Affine, Exprs, LoopVar } from '../ir/scalar.ts';
import { loopVarOf } from './affine.ts';

/** Scalar operations from which on it matters where they are done. */
export const MUCH = 32768;

/** Loops that belong together: their order among themselves is free. Splitting keeps the object for the inner part. */
export interface Block {
  vars: LoopVar[];
}
/** The loops around a use: those of `parent`, then `list` up to and including `end`. */
export interface Scope {
  readonly parent: Scope | null;
  readonly list: Block[];
  readonly end: Block | null;
}
export interface Use {
  readonly draft: Draft;
  readonly at: readonly Affine[];
  readonly scope: Scope;
  /** loop: any expression will do; operand: must be an index into memory; exact: this very node must have memory. */
  readonly need: 'value' | 'operand' | 'exact';
}
export interface DraftStore {
  readonly node: Node;
  readonly at: readonly Affine[];
  readonly scope: Scope;
  /** What is stored there, where it is a source of the node and not the node's own value. */
  readonly from?: { readonly node: Node; readonly at: readonly Affine[] };
}
export interface Draft {
  readonly id: number;
  readonly kind: 'loop' | 'scan' | 'join' | 'scatter' | 'host' | 'steps' | 'own';
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
  /** own: a place in the loops that the op's kernel runs over. */
  readonly at: Affine[];
  /** join, scatter, scan, host, own: the node it is for, and which source. */
  readonly part: { node: Node; source: number } | null;
  /** Drafts that must have run before. */
  readonly after: Draft[];
  /** The walk that last came by, as `mark` of a node. */
  mark: number;
}

/** Thrown when a kernel cannot be built as planned; the node then gets memory and planning starts over. */
export class NeedsMemory {
  readonly node: Node;
  constructor(node: Node) {
    this.node = node;
  }
}

export const wholeScope = (d: Draft): Scope => ({
  parent: null,
  list: d.blocks,
  end: d.blocks[d.blocks.length - 1] ?? null,
});
export const rootList = (s: Scope): Block[] => (s.parent === null ? s.list : rootList(s.parent));
/** All blocks around a use, from outside in. */
export function visible(s: Scope | null): { scope: Scope; block: Block }[] {
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
export function varsOf(at: readonly Affine[]): Set<LoopVar> | null {
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
export interface Place {
  /** Combinations of those loops; of the kernel's own among them. */
  readonly rows: number;
  readonly rootRows: number;
  /** A block of which only some loops count: it has to be split. */
  readonly split: { scope: Scope; block: Block; mine: LoopVar[] } | null;
  last: { scope: Scope; block: Block } | null;
  scope(): Scope;
}
/** Null where the loops are no prefix, or the index is computed at run time. */
export function placeOf(use: Use): Place | null {
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
export function evaluations(u: Use): number {
  const free = varsOf(u.at);
  let total = 1;
  let upto = 1;
  for (const { block } of visible(u.scope)) {
    for (const v of block.vars) total *= v.size;
    if (free === null || block.vars.some(v => free.has(v))) upto = total;
  }
  return upto;
}
/** Whether the use of n is at exactly the loops of the whole kernel, each once. */
export function isIdentity(u: Use, n: Node, d: Draft): boolean {
  return (
    u.scope.parent === null &&
    levelOf(u, n, d) === (d.blocks[d.blocks.length - 1] ?? null) &&
    u.need === 'value'
  );
}
/** The loops of an index that reads all of n, every dim by one loop with stride 1; null for others. */
export function runsOverLoops(u: Use, n: Node): Set<LoopVar> | null {
  const seen = new Set<LoopVar>();
  for (let d = 0; d < u.at.length; d++) {
    const a = u.at[d]!;
    if (a.c !== 0 || a.terms.length > 1) return null;
    if (a.terms.length === 0) {
      if (n.shape[d] !== 1) return null;
      continue;
    }
    const [e, k] = a.terms[0]!;
    const v = loopVarOf(e);
    if (v === null || v.size !== n.shape[d] || k !== 1 || seen.has(v)) return null;
    seen.add(v);
  }
  return seen;
}
/** The block up to which the use runs over all loops, each once and with stride 1; undefined where it does not. */
export function levelOf(u: Use, n: Node, d: Draft): Block | null | undefined {
  const seen = runsOverLoops(u, n);
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
/** Whether the use runs over exactly the elements of n, as most do: a quick answer to how often it is evaluated. */
export function sameRun(u: Use, n: Node): boolean {
  const [store] = u.draft.stores;
  return u.scope.parent === null && store !== undefined && numel(store.node.shape) === numel(n.shape);
}
/**
 * Whether the loops around the value would have to include the one along neighbours in memory, with others further in: much
 * memory would be read a few bytes at a time, once per step of the outer loop.
 */
export function scattered(place: Place, use: Use): boolean {
  if (place.split === null) return false;
  const { block, mine } = place.split;
  if (!mine.includes(block.vars[block.vars.length - 1]!)) return false;
  const all = visible(use.scope).reduce((p, s) => s.block.vars.reduce((q, v) => q * v.size, p), 1);
  return all >= MUCH;
}
