// The memory planner: which values of a plan may share bytes because they never live at once.
// In: sizes and lifetimes. Out: offsets in one arena. Not its job: whose arena.

export interface Lifetime {
  readonly bytes: number;
  /** First and last step, inclusive. */
  readonly from: number;
  readonly to: number;
}

const ALIGN = 64;
export const aligned = (n: number): number => Math.ceil(n / ALIGN) * ALIGN;

/** Offsets for all, largest first, each at the lowest place that is free for its whole life. */
export function planArena(lives: readonly Lifetime[]): { offsets: number[]; peakBytes: number } {
  const offsets = new Array<number>(lives.length).fill(0);
  const placed: number[] = [];
  const bySize = lives.map((_, i) => i).sort((a, b) => lives[b]!.bytes - lives[a]!.bytes || a - b);
  let peakBytes = 0;
  for (const i of bySize) {
    const l = lives[i]!;
    const busy = placed
      .filter(j => lives[j]!.from <= l.to && lives[j]!.to >= l.from)
      .map(j => [offsets[j]!, offsets[j]! + aligned(lives[j]!.bytes)] as const)
      .sort((a, b) => a[0] - b[0]);
    let at = 0;
    for (const [lo, hi] of busy) {
      if (at + l.bytes <= lo) break;
      if (hi > at) at = hi;
    }
    offsets[i] = at;
    placed.push(i);
    peakBytes = Math.max(peakBytes, at + aligned(l.bytes));
  }
  return { offsets, peakBytes };
}
