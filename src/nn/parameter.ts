// Parameter: a tensor that a module owns and an optimizer changes.

import type { Node } from '../ir/node.ts';
import { alias } from '../ir/ops/elementwise.ts';
import { realize } from '../tensor/realize.ts';
import { outside, recording } from '../tensor/record.ts';
import { Tensor } from '../tensor/tensor.ts';

/** Parameters whose first value is still a graph. All are computed together when a module is first called. */
let fresh: Parameter[] = [];
const MAX_FRESH = 512;

/**
 * A leaf that requires grad. Assigned to a field of a module, it is one of the module's parameters.
 * It starts as a copy of `data`; `requiresGrad: false` freezes it.
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, options: { requiresGrad?: boolean } = {}) {
    super(alias(data.detach().node()));
    if (options.requiresGrad ?? true) this.requiresGrad_();
    if (recording.now !== null) return;
    fresh.push(this);
    if (fresh.length >= MAX_FRESH) settleParameters();
  }
}

/** Gives new parameters their values, so that what initialises them is not part of the first step. */
export function settleParameters(): void {
  if (fresh.length === 0) return;
  const pending: Node[] = fresh.map(p => p._node).filter(n => n.value === null);
  fresh = [];
  if (pending.length > 0) outside(() => realize(pending));
}
