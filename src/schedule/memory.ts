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
  /** By their offsets. */
  const placed: number[] = [];
  const bySize = lives.map((_, i) => i).sort((a, b) => lives[b]!.bytes - lives[a]!.bytes || a - b);
  let peakBytes = 0;
  for (const i of bySize) {
    const l = lives[i]!;
    let at = 0;
    for (let p = 0; p < placed.length; p++) {
      const j = placed[p]!;
      const other = lives[j]!;
      if (other.from > l.to || other.to < l.from) continue;
      const lo = offsets[j]!;
      if (at + l.bytes <= lo) break;
      at = Math.max(at, lo + aligned(other.bytes));
    }
    offsets[i] = at;
    let [lo, hi] = [0, placed.length];
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (offsets[placed[mid]!]! <= at) lo = mid + 1;
      else hi = mid;
    }
    placed.splice(lo, 0, i);
    peakBytes = Math.max(peakBytes, at + aligned(l.bytes));
  }
  return { offsets, peakBytes };
}
