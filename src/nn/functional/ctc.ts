// Connectionist temporal classification (Graves et al. 2006, "Connectionist temporal classification: labelling
// unsegmented sequence data with recurrent neural networks", section 4.1).
// S labels l become the L = 2S + 1 states blank, l₁, blank, l₂, … blank; αₜ(s) is the logarithm of the probability of all
// alignments of steps 0 … t that end in state s.

import { ShapeError, showShape } from '../../base/errors.ts';
import { arange, full } from '../../tensor/create.ts';
import { where } from '../../tensor/functions.ts';
import { cat, stack } from '../../tensor/movement.ts';
import { isTensor } from '../../tensor/operand.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type LossOptions, reduced } from './loss.ts';
import { pad } from './pad.ts';

/** Stands for ln 0: finite, so that differences of impossible states are numbers. */
const IMPOSSIBLE = -1e30;

type Lengths = Tensor | readonly number[];

/**
 * −ln of the probability of all alignments of labels with T steps of scores, blanks and repetitions removed.
 * Shapes: logProbs (T, N, C) or (T, C); targets (N, S), or all labels one after another; lengths (N).
 * 'mean' divides each loss by the length of its target, then takes the mean of the batch. `zeroInfinity` sets the
 * losses of impossible alignments to 0; `blank` is the class of the blank (0). The graph has a few nodes per step.
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Lengths,
  targetLengths: Lengths,
  options: LossOptions & { blank?: number; zeroInfinity?: boolean } = {},
): Tensor {
  const { blank = 0, zeroInfinity = false, reduction = 'mean' } = options;
  const single = logProbs.ndim === 2;
  const scores = single ? logProbs.unsqueeze(1) : logProbs; // (T, N, C)
  const lengthsOf = (l: Lengths): Tensor =>
    (isTensor(l) ? l.long() : targets.indexTensor(l)).reshape([-1, 1]);
  const [steps, counts] = [lengthsOf(inputLengths), lengthsOf(targetLengths)]; // (N, 1)
  const N = scores.shape[1];
  if (scores.ndim !== 3 || steps.shape[0] !== N || counts.shape[0] !== N) {
    throw new ShapeError(
      'ctcLoss',
      'scores are (T, N, C) or (T, C) with N input and target lengths',
      `${showShape(logProbs.shape)} with ${steps.numel} and ${counts.numel}`,
      '',
    );
  }
  const labels = rowsOfLabels(targets.long(), counts, targetLengths, blank); // (N, S)
  const alpha = lastAlpha(scores, statesOf(labels, blank), steps, blank); // (N, L)
  const end = counts.mul(2);
  const atLabel = alpha.gather(1, end.sub(1).clamp(0)).maskedFill(counts.eq(0), IMPOSSIBLE);
  const nll = alpha.gather(1, end).logaddexp(atLabel).neg().squeeze(1);
  const found = nll.add(zeroWithSoftmaxGradient(scores, steps));
  const losses = found.maskedFill(nll.gt(-IMPOSSIBLE / 10), zeroInfinity ? 0 : Number.POSITIVE_INFINITY);
  if (reduction === 'mean') return losses.div(counts.squeeze(1).clamp(1).to(losses.dtype)).mean();
  return reduced('ctcLoss', single && reduction === 'none' ? losses.squeeze(0) : losses, reduction);
}

/**
 * Zero per row, with the gradient p = e^score: scores are logarithms of a softmax, so that their gradient may be given
 * with the softmax's own term, p − occupancy instead of −occupancy, as PyTorch does. Behind logSoftmax both are the same.
 */
function zeroWithSoftmaxGradient(scores: Tensor, steps: Tensor): Tensor {
  const used = positions(scores.shape[0]!, steps).unsqueeze(1).lt(steps.squeeze(1)); // (T, N)
  const total = scores.exp().maskedFill(used.logicalNot().unsqueeze(2), 0).sum([0, 2]);
  return total.sub(total.detach());
}

/** Labels as rows of one length; beyond the length of a row stands the blank. */
function rowsOfLabels(targets: Tensor, counts: Tensor, lengths: Lengths, blank: number): Tensor {
  if (targets.ndim === 2) return targets.where(positions(targets.shape[1]!, counts).lt(counts), blank);
  const list = isTensor(lengths) ? (lengths.reshape([-1]).tolistSync() as number[]) : lengths;
  const S = Math.max(0, ...list);
  if (S === 0) return counts.mul(0).expand([list.length, 0]);
  const at = positions(S, counts);
  const inside = at.lt(counts);
  const first = counts.cumsum(0).sub(counts);
  return targets.take(at.add(first).where(inside, 0)).where(inside, blank);
}
const positions = (n: number, like: Tensor): Tensor => arange(0, n, 1, { device: like.device });

/** blank, l₁, blank, l₂, … blank: (N, S) gives (N, 2S + 1). */
function statesOf(labels: Tensor, blank: number): Tensor {
  const [N, S] = labels.shape as [number, number];
  const blanks = labels.mul(0).add(blank);
  const last = full([N, 1], blank, { dtype: 'int64', device: labels.device });
  return S === 0 ? last : cat([stack([blanks, labels], 2).flatten(1), last], 1);
}

/** α at the last step of each row. */
function lastAlpha(scores: Tensor, states: Tensor, steps: Tensor, blank: number): Tensor {
  const [T, N, C] = scores.shape as [number, number, number];
  const L = states.shape[1]!;
  // ln p of each state at each step, all at once.
  const emitted = scores.gather(2, states.unsqueeze(0).expand([T, N, L])); // (T, N, L)
  // A state may be entered from two before it if that is another label (not a blank).
  const before = shifted(states.to('float32'), 2, -1).long();
  const skips = states.ne(blank).logicalAnd(states.ne(before)).logicalAnd(before.ge(0));
  const start = positions(L, states).lt(2);
  let alpha = emitted.select(0, 0).where(start, IMPOSSIBLE);
  if (C === 0 || T === 0) return alpha;
  for (let t = 1; t < T; t++) {
    const skipped = shifted(alpha, 2, IMPOSSIBLE).where(skips, IMPOSSIBLE);
    const reached = alpha.logaddexp(shifted(alpha, 1, IMPOSSIBLE)).logaddexp(skipped);
    const next = reached.add(emitted.select(0, t));
    alpha = where(steps.gt(t), next, alpha);
  }
  return alpha;
}
/** Columns moved right by n, filled up from the left. */
function shifted(x: Tensor, n: number, fill: number): Tensor {
  const width = x.shape[1]!;
  if (width <= n) return x.mul(0).add(fill);
  return pad(x.narrow(1, 0, width - n), [n, 0], { value: fill });
}
