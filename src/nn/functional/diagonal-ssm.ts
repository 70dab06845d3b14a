// State space models with a diagonal matrix of complex numbers (S4D). A complex tensor has its parts in a last dim of 2, as
// torch.view_as_real gives them; each stands for itself and its conjugate, so that results are real.
// Letters: N batch, L length, H channels, M complex states per channel, K chunks, Q steps per chunk.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { linearScan } from '../../ir/ops/reduce.ts';
import { wrap } from '../../tensor/core.ts';
import { arange, zeros } from '../../tensor/create.ts';
import { cat, stack } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** Real and imaginary parts. */
interface Complex {
  readonly re: Tensor;
  readonly im: Tensor;
}
const parts = (x: Tensor): Complex => ({ re: x.select(-1, 0), im: x.select(-1, 1) });
const times = (x: Complex, y: Complex): Complex => ({
  re: x.re.mul(y.re).sub(x.im.mul(y.im)),
  im: x.re.mul(y.im).add(x.im.mul(y.re)),
});
/** z l for each l. z (H, M), l (P): (H, M, P). */
const perStep = (z: Complex, l: Tensor): Complex => ({
  re: z.re.unsqueeze(-1).mul(l),
  im: z.im.unsqueeze(-1).mul(l),
});
/** m e^{iφ}. */
const polar = (m: Tensor, angle: Tensor): Complex => ({ re: m.mul(angle.cos()), im: m.mul(angle.sin()) });

export interface DiagonalStateSpaceOptions {
  /** Steps that one product has. Default 64. */
  readonly chunk?: number;
  /** The state before the first step, (N, H, M, 2). Default 0. */
  readonly state?: Tensor;
}

/** The exponents Δ A (H, M), and 2 C (e^{Δ A} − 1) / A, which a state is read out by. */
function discretized(dt: Tensor, A: Tensor, C: Tensor): { exponent: Complex; out: Complex } {
  const a = parts(A); // (H, M)
  const step = dt.unsqueeze(-1); // (H, 1)
  const exponent = { re: a.re.mul(step), im: a.im.mul(step) };
  // e^z − 1 without cancellation: (e^x − 1) cos y + (cos y − 1), with cos y − 1 = −2 sin²(y / 2).
  const grown = exponent.re.expm1();
  const half = exponent.im.mul(0.5).sin();
  const less: Complex = {
    re: grown.mul(exponent.im.cos()).sub(half.square().mul(2)),
    im: grown.add(1).mul(exponent.im.sin()),
  };
  const norm = a.re.square().add(a.im.square());
  const inverse: Complex = { re: a.re.div(norm).mul(2), im: a.im.div(norm).mul(-2) };
  return { exponent, out: times(times(parts(C), less), inverse) };
}
function check(op: string, u: Tensor, dt: Tensor, A: Tensor, C: Tensor): void {
  const [H, M] = [u.shape.at(-1)!, A.shape[1]!];
  const fits = (x: Tensor, want: readonly number[]): boolean =>
    x.ndim === want.length && want.every((n, d) => n === x.shape[d]);
  if (fits(dt, [H]) && fits(A, [H, M, 2]) && fits(C, [H, M, 2])) return;
  const got = [u, dt, A, C].map(x => showShape(x.shape)).join(', ');
  throw new ShapeError(op, 'of u (…, H) dt is (H), A and C are (H, M, 2)', got, '');
}

/**
 * A diagonal state space model: s_t = e^{Δ A} s_{t−1} + u_t, y_t = 2 Re ⟨C (e^{Δ A} − 1) / A, s_t⟩ (zero-order hold with
 * B = 1), which is the convolution of u with K_l = 2 Re Σ_m C_m (e^{Δ A_m} − 1) / A_m · e^{l Δ A_m}. Shapes: u (N, L, H), dt
 * (H), A and C (H, M, 2); y (N, L, H) and the last state (N, H, M, 2). Products within chunks of steps and a scan over
 * chunks: the work grows with L, not with L². Gu, Gupta, Goel & Ré 2022 (arXiv 2206.11893), sections 3.1 and 3.3.
 */
export function diagonalStateSpace(
  u: Tensor,
  dt: Tensor,
  A: Tensor,
  C: Tensor,
  options: DiagonalStateSpaceOptions = {},
): { y: Tensor; lastState: Tensor } {
  const op = 'diagonalStateSpace';
  const { chunk = 64 } = options;
  if (u.ndim !== 3) throw new ShapeError(op, 'u must be (N, L, H)', showShape(u.shape), '');
  check(op, u, dt, A, C);
  if (!Number.isInteger(chunk) || chunk < 1)
    throw new ValueError(op, 'chunk must be a positive integer', show(chunk), '');
  const [N, L, H] = u.shape as [number, number, number];
  const M = A.shape[1]!;
  const like = { dtype: u.dtype, device: u.device };
  const first = options.state ?? zeros([N, H, M, 2], like);
  if (L === 0) return { y: u, lastState: first };
  const Q = Math.min(chunk, L);
  const K = Math.ceil(L / Q);
  const { exponent, out } = discretized(dt, A, C);
  const extra = K * Q - L;
  const filled = extra === 0 ? u : cat([u, zeros([N, extra, H], like)], 1);
  const U = filled.reshape(N, K, Q, H).permute(3, 2, 0, 1); // (H, Q, N, K)

  // Powers e^{l Δ A} for l = 0 … Q, and what a state gives after l more steps.
  const each = perStep(exponent, arange(Q + 1).to(u.dtype));
  const power = polar(each.re.exp(), each.im); // (H, M, Q + 1)
  const later = times({ re: out.re.unsqueeze(-1), im: out.im.unsqueeze(-1) }, power); // (H, M, Q + 1)
  const kernel = later.re.narrow(-1, 0, Q).sum(1); // (H, Q)
  const back = arange(Q).unsqueeze(1).sub(arange(Q)); // (Q, Q)
  const toeplitz = kernel
    .indexSelect(1, back.clamp(0).flatten())
    .reshape(H, Q, Q)
    .mul(back.ge(0).to(u.dtype)); // (H, Q, Q)
  const within = toeplitz.matmul(U.reshape(H, Q, N * K)); // (H, Q, N K)

  /** What `steps` steps from the first of a chunk add to its state. */
  const added = (steps: number, from: Tensor): Tensor[] => {
    const ends = cat([power.re, power.im], 1).narrow(-1, 0, steps).flip(-1); // (H, 2 M, steps)
    const [, , ...rest] = from.shape;
    return ends
      .matmul(from.reshape(H, steps, -1))
      .reshape(H, 2, M, ...rest)
      .unbind(1);
  };
  // The states before each chunk: a scan whose decay is real in a frame that turns with the states.
  const given = first.permute(3, 1, 2, 0).unsqueeze(-1); // (2, H, M, N, 1)
  const sums = added(Q, U.narrow(3, 0, K - 1)); // (H, M, N, K − 1) twice
  const [re, im] = [0, 1].map(i => cat([given.select(0, i), sums[i]!], 3)) as [Tensor, Tensor]; // (H, M, N, K)
  const turn = perStep(exponent, arange(K).to(u.dtype).mul(Q)).im.unsqueeze(2); // (H, M, 1, K)
  const one = zeros([1], like).add(1);
  const still = times({ re, im }, polar(one, turn.neg()));
  const shrink = exponent.re.mul(Q).exp().reshape(H, M, 1, 1).expand(H, M, N, K);
  const scan = (x: Tensor): Tensor => wrap(linearScan(shrink.node(), x.node(), 3));
  const before = times({ re: scan(still.re), im: scan(still.im) }, polar(one, turn)); // (H, M, N, K)
  const reads = cat([later.re, later.im.neg()], 1).narrow(-1, 1, Q).mT; // (H, Q, 2 M)
  const across = reads.matmul(cat([before.re, before.im], 1).reshape(H, 2 * M, N * K)); // (H, Q, N K)
  const y = within
    .add(across)
    .reshape(H, Q, N, K)
    .permute(2, 3, 1, 0)
    .reshape(N, K * Q, H);

  const rest = L - (K - 1) * Q;
  const [lastRe, lastIm] = added(rest, U.select(3, K - 1).narrow(1, 0, rest)) as [Tensor, Tensor]; // (H, M, N)
  const decay = { re: power.re.narrow(-1, rest, 1), im: power.im.narrow(-1, rest, 1) }; // (H, M, 1)
  const kept = times({ re: before.re.select(3, K - 1), im: before.im.select(3, K - 1) }, decay);
  return {
    y: y.narrow(1, 0, L),
    lastState: stack([kept.re.add(lastRe), kept.im.add(lastIm)], -1).permute(2, 0, 1, 3), // (N, H, M, 2)
  };
}
/**
 * One step of the diagonal state space model. Shapes: state (N, H, M, 2), u (N, H); y (N, H) and the next state. What
 * `diagonalStateSpace` gives at each place, in time that does not depend on the place.
 */
export function diagonalStep(
  state: Tensor,
  u: Tensor,
  dt: Tensor,
  A: Tensor,
  C: Tensor,
): { y: Tensor; state: Tensor } {
  check('diagonalStep', u, dt, A, C);
  const { exponent, out } = discretized(dt, A, C);
  const kept = times(parts(state), polar(exponent.re.exp(), exponent.im)); // (N, H, M)
  const next = { re: kept.re.add(u.unsqueeze(-1)), im: kept.im };
  return { y: times(out, next).re.sum(-1), state: stack([next.re, next.im], -1) };
}
