// Padding layers: more elements around the places of (N, C, …) or (C, …). `padding` is one number for all ends, or two
// per dim from the last dim backwards: [left, right, top, bottom, front, back].

import { show, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type PadMode, pad } from './functional/pad.ts';
import { Module } from './module.ts';
import { py } from './repr.ts';

export type Padding = number | readonly number[];

abstract class Pad extends Module {
  readonly padding: readonly number[];
  constructor(padding: Padding) {
    super();
    this.padding = this.perEnd(padding);
  }
  private perEnd(padding: Padding): readonly number[] {
    const ends = 2 * this.rank;
    const list = typeof padding === 'number' ? Array<number>(ends).fill(padding) : [...padding];
    if (list.length === ends && list.every(Number.isInteger)) return list;
    throw new ValueError(
      this.constructor.name,
      `padding is one integer or ${ends} of them`,
      show(padding),
      '',
    );
  }
  protected abstract get rank(): number;
  protected abstract get mode(): PadMode;
  forward(x: Tensor): Tensor {
    return pad(x, this.padding, { mode: this.mode });
  }
  override extraRepr(): string {
    return py(this.padding);
  }
}
abstract class ConstantPad extends Pad {
  readonly value: number;
  constructor(padding: Padding, value: number) {
    super(padding);
    this.value = value;
  }
  protected get mode(): PadMode {
    return 'constant';
  }
  override forward(x: Tensor): Tensor {
    return pad(x, this.padding, { value: this.value });
  }
  override extraRepr(): string {
    return `padding=${py(this.padding)}, value=${py(this.value)}`;
  }
}
/** Pads with `value`. Shape: (…, L); padding [left, right] or one number for all sides. */
export class ConstantPad1d extends ConstantPad {
  protected get rank(): number {
    return 1;
  }
}
/** Pads with `value`. Shape: (…, H, W); padding [left, right, top, bottom] or one number for all sides. */
export class ConstantPad2d extends ConstantPad {
  protected get rank(): number {
    return 2;
  }
}
/** Pads with `value`. Shape: (…, D, H, W); padding [left, right, top, bottom, front, back] or one number for all sides. */
export class ConstantPad3d extends ConstantPad {
  protected get rank(): number {
    return 3;
  }
}
abstract class ZeroPad extends Pad {
  protected get mode(): PadMode {
    return 'constant';
  }
}
/** Pads with zeros. Shape: (…, L); padding [left, right] or one number for all sides. */
export class ZeroPad1d extends ZeroPad {
  protected get rank(): number {
    return 1;
  }
}
/** Pads with zeros. Shape: (…, H, W); padding [left, right, top, bottom] or one number for all sides. */
export class ZeroPad2d extends ZeroPad {
  protected get rank(): number {
    return 2;
  }
}
/** Pads with zeros. Shape: (…, D, H, W); padding [left, right, top, bottom, front, back] or one number for all sides. */
export class ZeroPad3d extends ZeroPad {
  protected get rank(): number {
    return 3;
  }
}
/** Mirrored, without repeating the edge. */
abstract class ReflectionPad extends Pad {
  protected get mode(): PadMode {
    return 'reflect';
  }
}
/** Pads with the mirrored inside, without repeating the edge. Shape: (…, L); padding [left, right] or one number for all sides. */
export class ReflectionPad1d extends ReflectionPad {
  protected get rank(): number {
    return 1;
  }
}
/** Pads with the mirrored inside, without repeating the edge. Shape: (…, H, W); padding [left, right, top, bottom] or one number for all sides. */
export class ReflectionPad2d extends ReflectionPad {
  protected get rank(): number {
    return 2;
  }
}
/** Pads with the mirrored inside, without repeating the edge. Shape: (…, D, H, W); padding [left, right, top, bottom, front, back] or one number for all sides. */
export class ReflectionPad3d extends ReflectionPad {
  protected get rank(): number {
    return 3;
  }
}
/** The edge repeated. */
abstract class ReplicationPad extends Pad {
  protected get mode(): PadMode {
    return 'replicate';
  }
}
/** Pads with the edge repeated. Shape: (…, L); padding [left, right] or one number for all sides. */
export class ReplicationPad1d extends ReplicationPad {
  protected get rank(): number {
    return 1;
  }
}
/** Pads with the edge repeated. Shape: (…, H, W); padding [left, right, top, bottom] or one number for all sides. */
export class ReplicationPad2d extends ReplicationPad {
  protected get rank(): number {
    return 2;
  }
}
/** Pads with the edge repeated. Shape: (…, D, H, W); padding [left, right, top, bottom, front, back] or one number for all sides. */
export class ReplicationPad3d extends ReplicationPad {
  protected get rank(): number {
    return 3;
  }
}
/** Going on at the other end. */
abstract class CircularPad extends Pad {
  protected get mode(): PadMode {
    return 'circular';
  }
}
/** Pads with the other end. Shape: (…, L); padding [left, right] or one number for all sides. */
export class CircularPad1d extends CircularPad {
  protected get rank(): number {
    return 1;
  }
}
/** Pads with the other end. Shape: (…, H, W); padding [left, right, top, bottom] or one number for all sides. */
export class CircularPad2d extends CircularPad {
  protected get rank(): number {
    return 2;
  }
}
/** Pads with the other end. Shape: (…, D, H, W); padding [left, right, top, bottom, front, back] or one number for all sides. */
export class CircularPad3d extends CircularPad {
  protected get rank(): number {
    return 3;
  }
}
