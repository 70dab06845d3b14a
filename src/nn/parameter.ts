// Parameter: a tensor that a module owns and an optimizer changes.

import { alias } from '../ir/ops/elementwise.ts';
import { realize } from '../tensor/realize.ts';
import { outside, recording } from '../tensor/record.ts';
import { Tensor } from '../tensor/tensor.ts';

/**
 * Parameters and buffers whose first value is still a graph. All are computed together when a module is first called, but
 * for those of models that nobody holds any more.
 */
let fresh: WeakRef<Tensor>[] = [];
const MAX_FRESH = 512;
/** Notes a tensor that belongs to a module from now on. */
export function noteFresh(t: Tensor): void {
  if (recording.now !== null || t._node.value !== null) return;
  fresh.push(new WeakRef(t));
  if (fresh.length >= MAX_FRESH) settleFresh();
}
/** Gives new parameters and buffers their values, so that what initialises them is not part of the first step. */
export function settleFresh(): void {
  if (fresh.length === 0) return;
  const pending = fresh.flatMap(ref => {
    const t = ref.deref();
    return t === undefined || t._base !== null ? [] : [t._node];
  });
  fresh = [];
  outside(() => realize(pending));
}

/**
 * A leaf that requires grad. Assigned to a field of a module, it is one of the module's parameters.
 * It starts as a copy of `data`; `requiresGrad: false` freezes it.
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, options: { requiresGrad?: boolean } = {}) {
    super(alias(data.detach().node()));
    if (options.requiresGrad ?? true) this.requiresGrad_();
    noteFresh(this);
  }
  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }
}
