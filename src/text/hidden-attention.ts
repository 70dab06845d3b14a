// What a token takes from each of those before it, in a model without attention: the matrix that a selective scan is (Ali,
// Zimerman and Wolf 2024, arXiv 2403.01590, section 3). In: a block and its input. Out: (D, T, T), as maps of attention.
// Letters: T tokens, C width of the model, D inner channels, S states.

import type { Mamba } from '../nn/index.ts';
import { noGrad } from '../tensor/modes.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * The scan of a Mamba block as a matrix of each channel: y_t = Σ_{s ≤ t} M[t, s] u_s with M[t, s] = C_t · Π_{s < k ≤ t}
 * e^{Δ_k A} · Δ_s B_s. The input of the block (1, T, C) gives (D, T, T); above the diagonal stands 0.
 */
export function hiddenMatrix(mixer: Mamba, x: Tensor): Tensor {
  return noGrad(() => {
    const { dt, A, B, C } = mixer.scanned(x); // dt (1, T, D), A (D, S), B and C (1, T, S)
    const steps = dt.squeeze(0); // (T, D)
    // Sums of Δ up to each place: what decays between s and t is their difference.
    const sums = steps.cumsum(0); // (T, D)
    const between = sums.unsqueeze(1).sub(sums.unsqueeze(0)).clamp(0); // (T, T, D): t, s
    const decay = between.unsqueeze(-1).mul(A).exp(); // (T, T, D, S)
    const input = steps.unsqueeze(-1).mul(B.squeeze(0).unsqueeze(1)); // (T, D, S): s
    const M = decay
      .mul(input.unsqueeze(0))
      .mul(C.squeeze(0).reshape(x.shape[1]!, 1, 1, -1))
      .sum(-1); // (T, T, D)
    return M.permute(2, 0, 1).tril();
  });
}
