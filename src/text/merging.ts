// Merging neighbours of a list of tokens, as byte-pair encodings do when they are used.

import { Heap } from './heap.ts';

/** What two neighbours become, and when: the lowest priority first. */
export interface Merged {
  readonly priority: number;
  readonly id: number;
}
interface Candidate extends Merged {
  readonly at: number;
  readonly left: number;
  readonly right: number;
}
/**
 * Merges neighbours, the pair of the lowest priority first and of equal ones the leftmost, until `find` knows no pair. A
 * heap of pairs over a linked list: n log n, also for pages without a space.
 */
export function mergeNeighbours(
  tokens: readonly number[],
  find: (left: number, right: number) => Merged | undefined,
): number[] {
  const n = tokens.length;
  const ids = [...tokens];
  const next = Int32Array.from(ids, (_, i) => i + 1);
  const previous = Int32Array.from(ids, (_, i) => i - 1);
  const heap = new Heap<Candidate>(
    (a, b) => a.priority < b.priority || (a.priority === b.priority && a.at < b.at),
  );
  const offer = (at: number): void => {
    const to = next[at]!;
    if (to >= n) return;
    const [left, right] = [ids[at]!, ids[to]!];
    const found = find(left, right);
    if (found !== undefined) heap.push({ priority: found.priority, id: found.id, at, left, right });
  };
  for (let i = 0; i < n; i++) offer(i);
  for (let c = heap.pop(); c !== undefined; c = heap.pop()) {
    const to = next[c.at]!;
    // Of a pair that is no more: one half was merged meanwhile.
    if (ids[c.at] !== c.left || to >= n || ids[to] !== c.right) continue;
    ids[c.at] = c.id;
    ids[to] = -1;
    next[c.at] = next[to]!;
    if (next[to]! < n) previous[next[to]!] = c.at;
    offer(c.at);
    if (previous[c.at]! >= 0) offer(previous[c.at]!);
  }
  return ids.filter(id => id >= 0);
}
