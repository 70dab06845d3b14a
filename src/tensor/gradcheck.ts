// gradcheck: what backward gives against what the function does, in float64.
// In: a function and inputs. Out: true, or an error that names the element. A check that cannot fail is an error too.

import { isFloat } from '../base/dtype.ts';
import { DTypeError, GradError, show } from '../base/errors.ts';
import { threefry2x32, uniformFromBits } from '../base/rng.ts';
import { wrap } from './core.ts';
import { hostData } from './create.ts';
import { Level } from './differentiate.ts';
import { noGrad } from './modes.ts';
import { isTensor } from './operand.ts';
import type { Tensor } from './tensor.ts';
import { tensorsIn } from './tree.ts';

export interface GradcheckOptions {
  /** Step of the central difference. Default 1e-6. */
  readonly eps?: number;
  /** |backward − numeric| ≤ atol + rtol · |numeric| must hold. Default 1e-5. */
  readonly atol?: number;
  /** Default 1e-3. */
  readonly rtol?: number;
  /** Seed of the weights of the outputs. Default 0. */
  readonly seed?: number;
  /** Accept inputs (all, or those at these positions) whose derivatives are all 0. Default false. */
  readonly allowZero?: boolean | readonly number[];
  /** Also check forward mode (jvp). Default false. */
  readonly checkForward?: boolean;
  /** Elements at a kink are skipped; more than this share of an input's elements is an error. Default 0.25. */
  readonly maxKinks?: number;
  /** Throw where the check fails; false returns false. Default true. */
  readonly raiseException?: boolean;
}

/** A function of tensors that returns a tensor, or several in lists and plain objects. */
export type CheckedFunction = (...inputs: Tensor[]) => unknown;

type Settings = Required<GradcheckOptions>;
const defaults: Settings = {
  eps: 1e-6,
  atol: 1e-5,
  rtol: 1e-3,
  seed: 0,
  allowZero: false,
  checkForward: false,
  maxKinks: 0.25,
  raiseException: true,
};

/**
 * Checks the gradients of `fn` at `inputs` against central differences: with random weights w in ±[0.5, 1.5) for the
 * outputs, ∂(Σ w·fn)/∂xᵢ from backward must equal (L(xᵢ + eps) − L(xᵢ − eps)) / 2eps for every element of every floating
 * input (of those that require grad, where some do).
 *
 * Inputs must be float64. Returns true, or throws a GradError with input, index, expected and got.
 *
 * Kinks: an element that disagrees is looked at closer. Where the difference of the two one-sided slopes does not shrink
 * with the step, the function has a kink or jump within eps and the element is skipped; a smooth function is never
 * skipped. Too many skipped elements are an error, as is an input whose derivatives are all 0 (a rule that returns
 * zeros would pass there), unless `allowZero` is set.
 *
 * Like torch.autograd.gradcheck.
 */
export function gradcheck(
  fn: CheckedFunction,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const s = { ...defaults, ...options };
  const list = isTensor(inputs) ? [inputs] : [...inputs];
  return verdict('gradcheck', new Check('gradcheck', fn, list, variedOf('gradcheck', list), s).run(), s);
}

/**
 * Checks second derivatives: gradcheck of the function (inputs, v) ↦ gradient of Σ v·fn(inputs), with random v.
 *
 * The second derivatives of a (multi)linear fn may all be 0; that some derivative is not 0 is required as in gradcheck.
 * Like torch.autograd.gradgradcheck.
 */
export function gradgradcheck(
  fn: CheckedFunction,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const op = 'gradgradcheck';
  const s = { ...defaults, ...options };
  const list = isTensor(inputs) ? [inputs] : [...inputs];
  const varied = variedOf(op, list);
  const cotangents = noGrad(() => floatsOf(op, fn(...list))).map((t, i) => weightsLike(t, s.seed + 1000 + i));
  const first: CheckedFunction = (...all) => {
    const level = new Level(op);
    const tracked = all.slice(0, list.length);
    for (const i of varied) tracked[i] = level.track(tracked[i]!, `input ${i}`);
    const outputs = level.run(() => floatsOf(op, fn(...tracked)));
    return level.pull(
      outputs.map(t => t.node()),
      all.slice(list.length).map(t => t.node()),
    );
  };
  const both = [...varied, ...cotangents.map((_, i) => list.length + i)];
  return verdict(op, new Check(op, first, [...list, ...cotangents], both, s, true).run(), s);
}

/** What is wrong: the rule that is broken, what was found, what to do. */
type Failure = readonly [rule: string, got: string, advice: string];

function verdict(op: string, failure: Failure | null, s: Settings): boolean {
  if (failure !== null && s.raiseException) throw new GradError(op, ...failure);
  return failure === null;
}

/** The inputs to vary: those that require grad, or else all floating ones. */
function variedOf(op: string, inputs: readonly Tensor[]): number[] {
  const all = inputs.map((_, i) => i);
  const asked = all.filter(i => inputs[i]!.requiresGrad);
  const varied = asked.length > 0 ? asked : all.filter(i => isFloat(inputs[i]!.dtype));
  if (varied.length === 0) throw new GradError(op, 'at least one input must be floating', 'none', '');
  for (const i of varied) {
    const { dtype } = inputs[i]!;
    if (dtype !== 'float64') {
      throw new DTypeError(
        op,
        'inputs must be float64, or rounding hides the error',
        `${dtype} for input ${i}`,
        'convert with .double()',
      );
    }
  }
  return varied;
}
function floatsOf(op: string, result: unknown): Tensor[] {
  const list = tensorsIn(result).filter(t => isFloat(t.dtype));
  if (list.length === 0)
    throw new GradError(op, 'the function must return floating tensors', show(result), '');
  return list;
}
/** Fixed random numbers in ±[0.5, 1.5): none is so small that an error could hide behind it. */
function weightsLike(t: Tensor, seed: number): Tensor {
  const values = Float64Array.from({ length: t.numel }, (_, i) => {
    const [a, b] = threefry2x32(seed, 0, i, 0);
    return (a & 1 ? 1 : -1) * (0.5 + uniformFromBits(b));
  });
  return wrap(hostData(values, t.shape, t.dtype, t.device));
}

/** How often the step shrinks, and by how much, before an element counts as wrong. */
const SHRINK = [1, 1 / 8, 1 / 64] as const;
/** The one-sided slopes at a kink differ by more than this many times the tolerance. */
const KINK = 10;

class Check {
  private readonly op: string;
  private readonly fn: CheckedFunction;
  private readonly inputs: readonly Tensor[];
  private readonly varied: readonly number[];
  private readonly s: Settings;
  private readonly zerosTogether: boolean;
  private readonly values: Float64Array[];
  private weights: Tensor[] = [];

  constructor(
    op: string,
    fn: CheckedFunction,
    inputs: readonly Tensor[],
    varied: readonly number[],
    s: Settings,
    zerosTogether = false,
  ) {
    this.op = op;
    this.fn = fn;
    this.inputs = inputs.map(t => t.detach());
    this.varied = varied;
    this.s = s;
    this.zerosTogether = zerosTogether;
    this.values = varied.map(i => inputs[i]!.dataSync() as Float64Array);
  }

  run(): Failure | null {
    const here = this.loss();
    const again = this.loss();
    if (!Object.is(here, again)) {
      return [
        'the function must be deterministic',
        `${here}, then ${again}`,
        'seed its random numbers inside',
      ];
    }
    const { grads, directional } = this.backward();
    let largest = 0;
    let derivative = 0;
    for (let k = 0; k < this.varied.length; k++) {
      const found = this.compare(k, grads[k]!, here);
      if (found.failure !== null) return found.failure;
      derivative += found.derivative;
      if (found.largest <= this.s.atol && !this.zerosTogether && !this.mayBeZero(k))
        return nothing(`input ${this.varied[k]}`);
      largest = Math.max(largest, found.largest);
    }
    if (largest <= this.s.atol && !this.values.every((_, k) => this.mayBeZero(k)))
      return nothing('all inputs');
    if (this.s.checkForward && !this.close(directional, derivative)) {
      return [
        'jvp must give the directional derivative',
        `${directional} from jvp, ${derivative} numerically`,
        'the rule of forward mode is wrong',
      ];
    }
    return null;
  }

  private mayBeZero(k: number): boolean {
    const { allowZero } = this.s;
    if (this.values[k]!.length === 0 || this.weights.every(w => w.numel === 0)) return true;
    return typeof allowZero === 'boolean' ? allowZero : allowZero.includes(this.varied[k]!);
  }

  /** Σ weights · outputs at the values as they are now. */
  private loss(): number {
    return noGrad(() => this.total(this.tensors())).itemSync();
  }
  private tensors(): Tensor[] {
    const all = [...this.inputs];
    this.varied.forEach((i, k) => {
      const t = all[i]!;
      all[i] = wrap(hostData(this.values[k]!, t.shape, t.dtype, t.device));
    });
    return all;
  }
  private total(inputs: readonly Tensor[]): Tensor {
    const outputs = floatsOf(this.op, this.fn(...inputs));
    if (this.weights.length === 0) this.weights = outputs.map((t, i) => weightsLike(t, this.s.seed + i));
    const parts = outputs.map((t, i) => t.mul(this.weights[i]!).sum().double());
    return parts.reduce((a, b) => a.add(b));
  }

  /** What is to be checked: the gradients, and the derivative along `direction`. */
  private backward(): { grads: Float64Array[]; directional: number } {
    const level = new Level(this.op);
    const tracked = this.tensors();
    for (const i of this.varied) tracked[i] = level.track(tracked[i]!, `input ${i}`);
    const n = level.run(() => this.total(tracked)).node();
    const grads = level.pull([n], [null]).map(t => t.dataSync() as Float64Array);
    if (!this.s.checkForward) return { grads, directional: 0 };
    const tangents = this.varied.map((i, k) => this.direction(k, this.inputs[i]!).node());
    return { grads, directional: level.push([n], tangents)[0]!.itemSync() };
  }
  private direction(k: number, like: Tensor): Tensor {
    return weightsLike(like, this.s.seed + 100 + k);
  }

  /** The gradient of one input, element by element. */
  private compare(
    k: number,
    grad: Float64Array,
    here: number,
  ): { failure: Failure | null; largest: number; derivative: number } {
    const input = this.varied[k]!;
    const { shape } = this.inputs[input]!;
    const along = this.s.checkForward ? this.direction(k, this.inputs[input]!).dataSync() : null;
    const wrong: string[] = [];
    let kinks = 0;
    let largest = 0;
    let derivative = 0;
    for (let i = 0; i < grad.length; i++) {
      const { slope, kink } = this.slopeAt(this.values[k]!, i, here, grad[i]!);
      // Along a kink there is no derivative to compare with: forward mode is believed there.
      if (along !== null) derivative += (kink ? grad[i]! : slope) * Number(along[i]);
      if (kink) kinks++;
      else {
        largest = Math.max(largest, Math.abs(slope));
        if (!this.close(grad[i]!, slope))
          wrong.push(`[${indexOf(i, shape)}]: ${grad[i]} from backward, ${slope} numerically`);
      }
    }
    const failure: Failure | null =
      wrong.length > 0
        ? [
            'backward must give the derivative of the function',
            `input ${input} ${wrong[0]} (${wrong.length} of ${grad.length} elements differ)`,
            'check the rule of the last op, or of a custom backward',
          ]
        : kinks > this.s.maxKinks * grad.length
          ? [
              'most elements must lie where the function is smooth',
              `${kinks} of ${grad.length} elements of input ${input} at a kink`,
              'choose other values',
            ]
          : null;
    return { failure, largest, derivative };
  }

  /** The numeric derivative by one element: at the first step where it agrees with `want`, else at the smallest. */
  private slopeAt(
    values: Float64Array,
    i: number,
    here: number,
    want: number,
  ): { slope: number; kink: boolean } {
    const x = values[i]!;
    let slope = 0;
    let bend = 0;
    let firstBend = 0;
    for (const shrink of SHRINK) {
      const e = this.s.eps * shrink;
      values[i] = x + e;
      const up = this.loss();
      values[i] = x - e;
      const down = this.loss();
      values[i] = x;
      slope = (up - down) / (2 * e);
      if (this.close(want, slope)) return { slope, kink: false };
      bend = Math.abs(up - here - (here - down)) / e;
      if (shrink === 1) firstBend = bend;
    }
    const steep = Math.max(Math.abs(slope), bend);
    const isBent = bend > KINK * (this.s.atol + this.s.rtol * steep);
    return { slope, kink: isBent && bend > firstBend / 2 };
  }
  private close(got: number, want: number): boolean {
    return Math.abs(got - want) <= this.s.atol + this.s.rtol * Math.abs(want);
  }
}

const nothing = (what: string): Failure => [
  'some derivative must not be 0, or a rule that returns zeros would pass',
  `all derivatives of ${what} 0`,
  'choose other values, or pass {allowZero: true} where the function is constant',
];

function indexOf(at: number, shape: readonly number[]): string {
  const out: number[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    out.unshift(at % shape[d]!);
    at = Math.floor(at / shape[d]!);
  }
  return out.join(', ');
}
