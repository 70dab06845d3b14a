// Dropout layers: in training a part of the input is set to zero at random, in eval nothing is.

import { show, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { InPlace, type InPlaceOptions } from './activation.ts';
import * as F from './functional/dropout.ts';
import { py } from './repr.ts';

export interface DropoutLayerOptions extends InPlaceOptions {
  /** Where the expectation is kept: 'training' (default), or 'test', where outputs are then scaled by 1 − p. */
  readonly scaleIn?: 'training' | 'test';
}
/** Each element 0 with probability p, else x / (1 − p). Srivastava et al. 2014. */
export class Dropout extends InPlace {
  readonly p: number;
  readonly scaleIn: 'training' | 'test';
  constructor(p = 0.5, options: DropoutLayerOptions = {}) {
    super(options);
    this.scaleIn = options.scaleIn ?? 'training';
    if (!(p >= 0 && p <= 1)) throw new ValueError(new.target.name, 'p must be in 0 … 1', show(p), '');
    this.p = p;
  }
  protected of(x: Tensor): Tensor {
    return F.dropout(x, this);
  }
  override extraRepr(): string {
    return `p=${py(this.p)}, inplace=${py(this.inplace)}`;
  }
}
/** Whole channels of (N, C, L) or (C, L). */
export class Dropout1d extends Dropout {
  protected override of(x: Tensor): Tensor {
    return F.dropout1d(x, this);
  }
}
/** Whole channels of (N, C, H, W). */
export class Dropout2d extends Dropout {
  protected override of(x: Tensor): Tensor {
    return F.dropout2d(x, this);
  }
}
/** Whole channels of (N, C, D, H, W) or (C, D, H, W). */
export class Dropout3d extends Dropout {
  protected override of(x: Tensor): Tensor {
    return F.dropout3d(x, this);
  }
}
/** Keeps mean 0 and variance 1 of SELU's outputs. Klambauer et al. 2017. */
export class AlphaDropout extends Dropout {
  constructor(p = 0.5, options: InPlaceOptions = {}) {
    super(p, options);
  }
  protected override of(x: Tensor): Tensor {
    return F.alphaDropout(x, this);
  }
}
/** The same for whole channels. */
export class FeatureAlphaDropout extends AlphaDropout {
  protected override of(x: Tensor): Tensor {
    return F.featureAlphaDropout(x, this);
  }
}
