// A step length along a direction that satisfies Wolfe's strong conditions: the loss falls enough (c₁) and the slope is
// flat enough (c₂). In: the loss and slope at a length. Out: the point found. Nocedal and Wright 2006, algorithms 3.5, 3.6,
// with the bounds and the cubic steps of minFunc (Schmidt 2005), as PyTorch takes them.

import type { Tensor } from '../tensor/tensor.ts';

/** The loss, its gradient, and its slope along the direction. */
export interface Evaluation {
  readonly loss: number;
  readonly g: Tensor;
  readonly slope: number;
}
export interface Point extends Evaluation {
  readonly t: number;
}
const C1 = 1e-4;
const C2 = 0.9;
const MAX_EVALUATIONS = 25;
const SMALLEST = 1e-9;

/** Finds a length from `t` on; `longest` is the largest element of the direction. */
export function strongWolfe(
  at: (t: number) => Evaluation,
  t: number,
  start: Evaluation,
  longest: number,
): Point & { readonly evaluations: number } {
  let evaluations = 0;
  const evaluate = (length: number): Point => {
    evaluations++;
    return { t: length, ...at(length) };
  };
  const origin: Point = { t: 0, ...start };
  const high = (p: Point): boolean => p.loss > origin.loss + C1 * p.t * origin.slope;
  const flat = (p: Point): boolean => Math.abs(p.slope) <= -C2 * origin.slope;

  // Lengthen until two points enclose a good one.
  let [before, now] = [origin, evaluate(t)];
  let bracket: [Point, Point] | null = null;
  while (evaluations <= MAX_EVALUATIONS) {
    if (high(now) || (evaluations > 2 && now.loss >= before.loss)) bracket = [before, now];
    else if (flat(now)) return { ...now, evaluations };
    else if (now.slope >= 0) bracket = [before, now];
    if (bracket !== null) break;
    const next = cubicMinimum(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
    [before, now] = [now, evaluate(next)];
  }
  const found = zoom(bracket ?? [origin, now], high, flat, longest, p =>
    evaluations > MAX_EVALUATIONS ? null : evaluate(p),
  );
  return { ...found, evaluations };
}

/** Narrows an interval until its better end is a good point. */
function zoom(
  [a, b]: [Point, Point],
  high: (p: Point) => boolean,
  flat: (p: Point) => boolean,
  longest: number,
  evaluate: (t: number) => Point | null,
): Point {
  let [low, other] = a.loss <= b.loss ? [a, b] : [b, a];
  let stuck = false;
  while (Math.abs(low.t - other.t) * longest >= SMALLEST) {
    const [left, right] = low.t < other.t ? [low, other] : [other, low];
    let t = cubicMinimum(left, right, left.t, right.t);
    // A point near an end, twice in a row, is moved inwards by a tenth of the interval.
    const margin = 0.1 * (right.t - left.t);
    const near: boolean = Math.min(right.t - t, t - left.t) < margin;
    const move: boolean = near && (stuck || t >= right.t || t <= left.t);
    if (move) t = Math.abs(t - right.t) < Math.abs(t - left.t) ? right.t - margin : left.t + margin;
    stuck = near && !move;
    const p = evaluate(t);
    if (p === null) break;
    if (high(p) || p.loss >= low.loss) {
      [low, other] = low.loss <= p.loss ? [low, p] : [p, low];
      continue;
    }
    if (flat(p)) return p;
    if (p.slope * (other.t - low.t) >= 0) other = low;
    low = p;
  }
  return low;
}

/** Where the cubic through two losses and slopes is least, kept within bounds; the middle where it has no minimum. */
function cubicMinimum(p: Point, q: Point, low: number, high: number): number {
  const d1 = p.slope + q.slope - (3 * (p.loss - q.loss)) / (p.t - q.t);
  const square = d1 * d1 - p.slope * q.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [near, far] = p.t <= q.t ? [p, q] : [q, p];
  const t = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2));
  return Math.min(Math.max(t, low), high);
}
