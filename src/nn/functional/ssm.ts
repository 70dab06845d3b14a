// State space models: the selective scan of Mamba and the block form of Mamba-2 (SSD).
// Letters: N batch, L length, D channels, S states per channel, H heads, P channels per head, K chunks, Q steps per chunk.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { linearScan } from '../../ir/ops/reduce.ts';
import { wrap } from '../../tensor/core.ts';
import { zeros } from '../../tensor/create.ts';
import { cat } from '../../tensor/movement.ts';
import { selectiveScan as scan } from '../../tensor/selective-scan.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { silu, softplus } from './activation.ts';

export interface SelectiveScanOptions {
  /** What passes u by the states: y += D · u. (D) */
  readonly D?: Tensor;
  /** Gate: y ← y · silu(z). (N, D, L) */
  readonly z?: Tensor;
  /** Added to delta. (D) */
  readonly deltaBias?: Tensor;
  /** delta ← ln(1 + e^delta), which keeps it positive. Default false. */
  readonly deltaSoftplus?: boolean;
}

function sized(op: string, name: string, x: Tensor, want: readonly (number | null)[]): void {
  if (x.ndim === want.length && want.every((n, d) => n === null || n === x.shape[d])) return;
  const shape = want.map(n => n ?? 'any').join(', ');
  throw new ShapeError(op, `${name} must have shape (${shape})`, showShape(x.shape), '');
}
/** delta with its bias, positive. */
function stepSizes(delta: Tensor, o: SelectiveScanOptions, channelDim: number): Tensor {
  const along = Array.from({ length: delta.ndim }, (_, d) => (d === channelDim ? -1 : 1));
  const shifted = o.deltaBias === undefined ? delta : delta.add(o.deltaBias.reshape(along));
  return o.deltaSoftplus ? softplus(shifted) : shifted;
}

/**
 * The selective scan: h_t = e^{Δ_t A} h_{t−1} + Δ_t B_t u_t from h = 0, y_t = ⟨C_t, h_t⟩ (+ D u_t, · silu(z_t)).
 * Shapes: u and delta (N, D, L), A (D, S), B and C (N, S, L), or (D, S) where they do not depend on the input; result
 * (N, D, L). One kernel goes through time with the states of a few channels in the cache, and another does so backwards
 * for the gradient, computing the states anew: memory grows with L · (D + S), not with L · D · S. Where B or C is (D, S)
 * the states of all steps (N, D, L, S) are kept. Gu & Dao 2023, sections 3.3.1 and 3.3.2, algorithm 2.
 */
export function selectiveScan(
  u: Tensor,
  delta: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
  options: SelectiveScanOptions = {},
): Tensor {
  return selectiveScanWithState(u, delta, A, B, C, options).y;
}
/** `selectiveScan`, and the last state (N, D, S), from which `selectiveStep` goes on. */
export function selectiveScanWithState(
  u: Tensor,
  delta: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
  options: SelectiveScanOptions = {},
): { y: Tensor; lastState: Tensor } {
  const op = 'selectiveScan';
  sized(op, 'u', u, [null, null, null]);
  const [N, D, L] = u.shape as [number, number, number];
  sized(op, 'delta', delta, [N, D, L]);
  sized(op, 'A', A, [D, null]);
  const S = A.shape[1]!;
  const dt = stepSizes(delta, options, 1); // (N, D, L)
  const fixed = B.ndim === 2 || C.ndim === 2;
  for (const [name, x] of Object.entries({ B, C })) sized(op, name, x, x.ndim === 2 ? [D, S] : [N, S, L]);
  const scanned = fixed ? fixedScan(u, dt, A, B, C) : scan(u.mT, dt.mT, A, B.mT, C.mT);
  const { lastState } = scanned; // (N, D, S)
  let y = fixed ? scanned.y : scanned.y.mT; // (N, D, L)
  if (options.D !== undefined) y = y.add(u.mul(options.D.unsqueeze(-1)));
  if (options.z !== undefined) y = y.mul(silu(options.z));
  return { y, lastState };
}
/** The scan with B or C (D, S): the same at each step. */
function fixedScan(u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor): { y: Tensor; lastState: Tensor } {
  const [N, D, L] = u.shape as [number, number, number];
  const S = A.shape[1]!;
  /** Factors per channel, time and state: (N or 1, D or 1, L or 1, S). */
  const perState = (x: Tensor): Tensor =>
    x.ndim === 2 ? x.reshape(1, D, 1, S) : x.transpose(1, 2).unsqueeze(1);
  const decay = dt.unsqueeze(-1).mul(A.unsqueeze(1)).exp(); // (N, D, L, S)
  const input = dt.mul(u).unsqueeze(-1).mul(perState(B)); // (N, D, L, S)
  const h = wrap(linearScan(decay.node(), input.node(), 2)); // (N, D, L, S)
  const y = h.mul(perState(C)).sum(-1); // (N, D, L)
  const empty = L === 0;
  return {
    y,
    lastState: empty ? zeros([N, D, S], { dtype: u.dtype, device: u.device }) : h.select(2, L - 1),
  };
}
/**
 * One step of the selective scan: the new state and y. Shapes: state (N, D, S), u and delta (N, D), A (D, S), B and C
 * (N, S), z (N, D); y (N, D). What the scan gives at each place, in time that does not depend on the place.
 */
export function selectiveStep(
  state: Tensor,
  u: Tensor,
  delta: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
  options: SelectiveScanOptions = {},
): { y: Tensor; state: Tensor } {
  const dt = stepSizes(delta, options, 1); // (N, D)
  const decay = dt.unsqueeze(-1).mul(A).exp(); // (N, D, S)
  const next = state.mul(decay).add(dt.mul(u).unsqueeze(-1).mul(B.unsqueeze(1))); // (N, D, S)
  let y = next.mul(C.unsqueeze(1)).sum(-1); // (N, D)
  if (options.D !== undefined) y = y.add(u.mul(options.D));
  if (options.z !== undefined) y = y.mul(silu(options.z));
  return { y, state: next };
}

/** Sums of stretches: result[…, i, j] = x_{j+1} + … + x_i for i ≥ j, −∞ above the diagonal. (…, T) gives (…, T, T). */
function stretchSums(x: Tensor): Tensor {
  const sums = x.cumsum(-1); // (…, T)
  const T = x.shape[x.ndim - 1]!;
  const later = sums.unsqueeze(-1).sub(sums.unsqueeze(-2)); // (…, T, T)
  const above = zeros([T, T], { device: x.device }).add(1).triu(1).to('bool');
  return later.maskedFill(above, Number.NEGATIVE_INFINITY);
}
/**
 * State space duality: h_t = e^{A_t} h_{t−1} + B_t X_tᵀ, Y_t = C_tᵀ h_t, as matrix products within chunks of `chunk`
 * steps and a scan over chunks. Shapes: X (N, L, H, P), A (N, L, H), B and C (N, L, H, S), initialState (N, H, P, S);
 * Y (N, L, H, P), finalState (N, H, P, S). `chunk` must divide L. Dao & Gu 2024, listing 1.
 */
export function stateSpaceDual(
  X: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
  chunk: number,
  initialState?: Tensor,
): { Y: Tensor; finalState: Tensor } {
  const op = 'stateSpaceDual';
  sized(op, 'X', X, [null, null, null, null]);
  const [N, L, H, P] = X.shape as [number, number, number, number];
  sized(op, 'A', A, [N, L, H]);
  sized(op, 'B', B, [N, L, H, null]);
  const S = B.shape[3]!;
  sized(op, 'C', C, [N, L, H, S]);
  if (!Number.isInteger(chunk) || chunk < 1 || L % chunk !== 0)
    throw new ValueError(op, `the chunk must divide the length ${L}`, show(chunk), 'pad the sequence');
  const K = L / chunk;
  /** Chunks, heads first. */
  const chunks = (x: Tensor): Tensor => x.reshape(N, K, chunk, H, -1).permute(0, 3, 1, 2, 4); // (N, H, K, Q, …)
  const [x, b, c] = [chunks(X), chunks(B), chunks(C)];
  const a = A.reshape(N, K, chunk, H).permute(0, 3, 1, 2); // (N, H, K, Q)
  const sums = a.cumsum(-1); // (N, H, K, Q)
  // Within a chunk: as attention with decaying weights.
  const weights = c.matmul(b.mT).mul(stretchSums(a).exp()); // (N, H, K, Q, Q)
  const within = weights.matmul(x); // (N, H, K, Q, P)
  // What each chunk adds to the state by its end, and the state before each chunk.
  const total = sums.narrow(-1, chunk - 1, 1); // (N, H, K, 1)
  const left = total.sub(sums).exp().unsqueeze(-1); // (N, H, K, Q, 1)
  const added = x.mT.matmul(b.mul(left)); // (N, H, K, P, S)
  const first = initialState ?? zeros([N, H, P, S], { dtype: X.dtype, device: X.device });
  sized(op, 'initialState', first, [N, H, P, S]);
  const inputs = cat([first.unsqueeze(2), added], 2); // (N, H, K + 1, P, S)
  const decays = cat([total.narrow(2, 0, 1).mul(0), total], 2)
    .exp()
    .unsqueeze(-1)
    .expand(inputs.shape);
  const states = wrap(linearScan(decays.node(), inputs.node(), 2)); // (N, H, K + 1, P, S)
  // What the state before a chunk gives to each of its steps.
  const before = states.narrow(2, 0, K); // (N, H, K, P, S)
  const across = c.mul(sums.exp().unsqueeze(-1)).matmul(before.mT); // (N, H, K, Q, P)
  const Y = within.add(across).permute(0, 2, 3, 1, 4).reshape(N, L, H, P);
  return { Y, finalState: states.select(2, K) };
}
