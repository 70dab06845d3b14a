// The eager oracle: tensors, views, autograd and optimizers on plain arrays, by PyTorch's rules of aliasing.
// Everything is computed at once; a value never changes, a base tensor points to its newest value, a view is a list of
// positions in its base. In: operations. Out: arrays with error bounds. Not its job: statements (oracle-machine.ts).

import {
  type Arr,
  add,
  div,
  full,
  map,
  mul,
  need,
  pick,
  scale,
  sizeOf,
  stretch,
  sub,
  sumInto,
  sumTo,
} from './oracle-math.ts';

/** Values and bases are numbered as they are made. */
let serials = 0;
/** A value with its history. */
export class Val {
  readonly serial = ++serials;
  readonly arr: Arr;
  readonly parents: readonly Val[];
  readonly back: ((g: Arr) => (Arr | null)[]) | null;
  /** The values that `back` uses. */
  readonly saved: readonly Val[];
  readonly needsGrad: boolean;
  /** The base whose gradient this is about, where it is a leaf. */
  leaf: Base | null = null;
  /** What this is a part of: writing there makes this value old as well. */
  readonly root: Val;
  overwritten = false;
  freed = false;
  constructor(
    arr: Arr,
    parents: readonly Val[] = [],
    back: ((g: Arr) => (Arr | null)[]) | null = null,
    saved: readonly Val[] = [],
    root: Val | null = null,
    needsGrad = parents.some(p => p.needsGrad),
  ) {
    this.arr = arr;
    this.parents = needsGrad ? parents : [];
    this.back = needsGrad ? back : null;
    this.saved = saved;
    this.needsGrad = needsGrad;
    this.root = root ?? this;
  }
}

/** The memory of a tensor. */
export class Base {
  readonly serial = ++serials;
  val: Val;
  leaf = false;
  grad: Handle | null = null;
  /** Was somebody's gradient at some time. */
  isGrad = false;
  constructor(val: Val) {
    this.val = val;
  }
}
/** A tensor as the user holds it. */
export interface Handle {
  readonly base: Base;
  /** Positions in the base; null for all of it. */
  readonly at: Int32Array | null;
  readonly shape: readonly number[];
  /** Changes through it are not recorded. */
  readonly detached: boolean;
  /** Several elements of it are one element of the base: not to be written. */
  readonly stretched: boolean;
}

export class Oracle {
  /** Undo steps of every mutation: a statement that makes no sense is taken back. */
  private undo: (() => void)[] = [];
  gradMode = true;
  /** What has a smaller number was there before the block that is running. */
  private outer = 0;

  /** Runs the body of a block. */
  inside<T>(body: () => T): T {
    const before = this.outer;
    this.outer = serials;
    try {
      return body();
    } finally {
      this.outer = before;
    }
  }
  mark(): number {
    return this.undo.length;
  }
  rollback(mark: number): void {
    while (this.undo.length > mark) this.undo.pop()!();
  }
  /** Sets a field and remembers the old value. */
  put<T extends object, K extends keyof T>(on: T, key: K, value: T[K]): void {
    const old = on[key];
    this.undo.push(() => {
      on[key] = old;
    });
    on[key] = value;
  }
  putIn<K, V>(map: Map<K, V>, key: K, value: V): void {
    const [had, old] = [map.has(key), map.get(key)];
    this.undo.push(() => {
      if (had) map.set(key, old!);
      else map.delete(key);
    });
    map.set(key, value);
  }

  // ---- values ------------------------------------------------------------------------------------------------------------

  fresh(val: Val): Handle {
    return { base: new Base(val), at: null, shape: val.arr.shape, detached: false, stretched: false };
  }
  apply(
    arr: Arr,
    parents: readonly Val[],
    back: (g: Arr) => (Arr | null)[],
    saved: readonly Val[] = [],
  ): Handle {
    return this.fresh(this.gradMode ? new Val(arr, parents, back, saved) : new Val(arr));
  }
  read(h: Handle): Val {
    const v = h.base.val;
    if (h.at === null) return h.detached && v.needsGrad ? new Val(v.arr, [], null, [], v) : v;
    const at = h.at;
    const arr = pick(v.arr, at, h.shape);
    if (h.detached || !this.gradMode) return new Val(arr, [], null, [], v.root);
    const n = v.arr.data.length;
    const back = (g: Arr): Arr[] => [
      sumInto(
        n,
        v.arr.shape,
        Array.from(g.data, (x, i) => [at[i]!, x, g.err[i]!] as const),
      ),
    ];
    return new Val(arr, [v], back, [], v.root);
  }
  view(of: Handle, shape: readonly number[], positionsInOf: Int32Array, more: Partial<Handle> = {}): Handle {
    const at = of.at === null ? positionsInOf : positionsInOf.map(i => of.at![i]!);
    return { base: of.base, at, shape, detached: of.detached, stretched: of.stretched, ...more };
  }

  /**
   * Replaces the elements of a handle; `value` broadcasts. `saved`: values that backward of this change needs, such as
   * indices. `lasting`: backward needs `value` itself, which lives on as the elements and is gone at their next change.
   */
  write(h: Handle, value: Val, saved: readonly Val[] = [], lasting = false): void {
    need(!h.stretched);
    const { base } = h;
    const recorded = this.gradMode && !h.detached;
    // PyTorch refuses it (and so must we); tested on its own.
    need(!(base.leaf && recorded));
    const old = base.val;
    // A change that is not recorded leaves PyTorch's history as it was: not part of this fuzz.
    need(!(old.needsGrad && !base.leaf && !recorded));
    // A compiled step has no history to give to what was there before, and refuses to cut one off.
    need(base.serial > this.outer || base.leaf || !(old.needsGrad || (recorded && value.needsGrad)));
    // Where a view holds every element, PyTorch gives what was there before a gradient of zeros, and we give it none.
    need(!(recorded && old.needsGrad && h.at !== null && new Set(h.at).size === old.arr.data.length));
    need(value.arr.shape.length <= h.shape.length);
    const v = stretch(value.arr, h.shape);
    const vShape = value.arr.shape;
    const root = lasting ? value : null;
    let next: Val;
    const toValue = (g: Arr): Arr => sumTo(g, vShape);
    if (h.at === null) {
      next = recorded ? new Val(v, [value], g => [toValue(g)], saved, root) : new Val(v);
    } else {
      const at = h.at;
      const data = Float64Array.from(old.arr.data);
      const err = Float64Array.from(old.arr.err);
      at.forEach((p, i) => {
        data[p] = v.data[i]!;
        err[p] = v.err[i]!;
      });
      const arr = { shape: old.arr.shape, data, err };
      const back = (g: Arr): Arr[] => {
        const kept = { shape: g.shape, data: Float64Array.from(g.data), err: Float64Array.from(g.err) };
        at.forEach(p => {
          kept.data[p] = 0;
          kept.err[p] = 0;
        });
        return [kept, toValue(pick(g, at, h.shape))];
      };
      next = recorded ? new Val(arr, [old, value], back, saved, root) : new Val(arr);
    }
    if (base.leaf) next = this.leafVal(next.arr, base);
    this.put(old.root, 'overwritten', true);
    this.put(old, 'overwritten', true);
    this.put(base, 'val', next);
  }
  leafVal(arr: Arr, base: Base): Val {
    const v = new Val(arr, [], null, [], null, true);
    v.leaf = base;
    return v;
  }
  setLeaf(h: Handle, on: boolean): void {
    const { base } = h;
    need(h.at === null && !h.detached && base.leaf !== on && (on ? !base.val.needsGrad : true));
    this.put(base, 'leaf', on);
    this.put(base, 'val', on ? this.leafVal(base.val.arr, base) : new Val(base.val.arr));
  }

  // ---- gradients -----------------------------------------------------------------------------------------------------------

  backward(h: Handle, retain: boolean): void {
    const out = this.read(h);
    need(this.gradMode && out.needsGrad && sizeOf(h.shape) === 1);
    const order = topological(out);
    for (const v of order) {
      if (v.leaf !== null) continue;
      // PyTorch refuses both (and so must we); tested on their own.
      // Nor does a compiled step reach into a history from outside.
      need(v.serial > this.outer);
      need(!(v.freed && v.saved.length > 0) && v.saved.every(s => !s.root.overwritten && !s.overwritten));
    }
    const grads = new Map<Val, Arr>([[out, full(out.arr.shape, 1)]]);
    const found = new Map<Base, Arr>();
    for (const v of order.reverse()) {
      const g = grads.get(v);
      if (g === undefined) continue;
      if (v.leaf !== null) {
        const prior = found.get(v.leaf);
        found.set(v.leaf, prior === undefined ? g : add(prior, g));
        continue;
      }
      v.back!(g).forEach((d, i) => {
        const p = v.parents[i]!;
        if (d === null || !p.needsGrad) return;
        const prior = grads.get(p);
        grads.set(p, prior === undefined ? d : add(prior, d));
      });
      if (!retain) this.put(v, 'freed', true);
    }
    for (const [base, g] of found) {
      if (base.grad === null) {
        const made = this.fresh(new Val(g));
        made.base.isGrad = true;
        this.put(base, 'grad', made);
      } else {
        const { grad } = base;
        need(!grad.base.val.needsGrad);
        this.quietly(() => this.write(grad, new Val(add(grad.base.val.arr, g))));
      }
    }
  }
  quietly<T>(body: () => T): T {
    const before = this.gradMode;
    this.gradMode = false;
    try {
      return body();
    } finally {
      this.gradMode = before;
    }
  }
}

function topological(out: Val): Val[] {
  const order: Val[] = [];
  const seen = new Set<Val>();
  const visit = (v: Val): void => {
    if (!v.needsGrad || seen.has(v)) return;
    seen.add(v);
    for (const p of v.parents) visit(p);
    order.push(v);
  };
  visit(out);
  return order;
}

// ---- optimizers -----------------------------------------------------------------------------------------------------------

export interface OracleOptimizer {
  readonly kind: 'SGD' | 'Adam';
  readonly params: readonly Handle[];
  options: { lr: number; momentum: number; nesterov: boolean; weightDecay: number };
  /** Steps, first and second moment (or momentum) by parameter. */
  readonly state: Map<Base, { step: number; m: Arr; v: Arr }>;
}
const EPS_ADAM = 1e-8;
/** One step, from the formulas of Sutskever et al. 2013 (PyTorch's form) and Kingma and Ba 2015. */
export function stepOracle(o: Oracle, opt: OracleOptimizer): void {
  const { lr, momentum, nesterov, weightDecay } = opt.options;
  for (const h of opt.params) {
    const { base } = h;
    if (base.grad === null) continue;
    const x = base.val.arr;
    let g = base.grad.base.val.arr;
    if (weightDecay !== 0) g = add(g, scale(x, weightDecay));
    const s = opt.state.get(base) ?? { step: 0, m: full(x.shape, 0), v: full(x.shape, 0) };
    const step = s.step + 1;
    let [m, v] = [s.m, s.v];
    let next: Arr;
    if (opt.kind === 'SGD') {
      let d = g;
      if (momentum !== 0) {
        m = add(scale(m, momentum), g);
        d = nesterov ? add(g, scale(m, momentum)) : m;
      }
      next = sub(x, scale(d, lr));
    } else {
      m = add(scale(m, 0.9), scale(g, 1 - 0.9));
      v = add(scale(v, 0.999), scale(mul(g, g), 1 - 0.999));
      const root = map(v, Math.sqrt, (_, y) => {
        need(y > 1e-6);
        return 1 / y;
      });
      const low = add(scale(root, 1 / Math.sqrt(1 - 0.999 ** step)), full([], EPS_ADAM));
      next = sub(x, scale(div(m, low), lr / (1 - 0.9 ** step)));
    }
    o.putIn(opt.state, base, { step, m, v });
    o.quietly(() => o.write(h, new Val(next)));
  }
}
