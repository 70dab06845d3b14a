// The WASM memory and its allocator: best fit over a free list that is kept sorted by address.
// In: byte counts. Out: addresses, 64-byte aligned. Not its job: who owns what.

import { MemoryError } from '../base/errors.ts';
import { aligned } from '../schedule/memory.ts';

const PAGE = 65536;
/** The first page holds the control block and the guard before the heap. */
const FIRST = PAGE;

interface Free {
  at: number;
  size: number;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  readonly maxPages: number;
  private free: Free[] = [];
  private readonly sizes = new Map<number, number>();
  private top = FIRST;
  used = 0;

  /** Tries the largest maximum first: some engines refuse to reserve 4 GB. */
  constructor(maxMB: number) {
    let pages = Math.min(65536, Math.max(64, Math.floor((maxMB * 1048576) / PAGE)));
    for (;;) {
      try {
        this.memory = new WebAssembly.Memory({ initial: 2, maximum: pages, shared: true });
        this.maxPages = pages;
        break;
      } catch (e) {
        if (pages <= 1024) throw e;
        pages = Math.floor(pages / 2);
      }
    }
    this.top = FIRST;
  }

  /** Views are made anew at each use: growth leaves old ones short. */
  u8(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }
  i32(): Int32Array {
    return new Int32Array(this.memory.buffer);
  }
  get totalBytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** An address, or 0 where memory cannot grow enough. */
  tryAlloc(bytes: number): number {
    const need = Math.max(aligned(bytes), 64);
    let best = -1;
    for (let i = 0; i < this.free.length; i++) {
      const f = this.free[i]!;
      if (f.size >= need && (best < 0 || f.size < this.free[best]!.size)) best = i;
    }
    let at: number;
    if (best >= 0) {
      const f = this.free[best]!;
      at = f.at;
      if (f.size === need) this.free.splice(best, 1);
      else {
        f.at += need;
        f.size -= need;
      }
    } else {
      at = this.top;
      // A free block at the end is extended instead of left behind.
      const last = this.free[this.free.length - 1];
      if (last !== undefined && last.at + last.size === this.top) at = last.at;
      // One page stays free behind the end: vector loads may look past the last element.
      if (!this.reserve(at + need + PAGE)) return 0;
      if (at !== this.top) this.free.pop();
      this.top = at + need;
    }
    this.sizes.set(at, need);
    this.used += need;
    return at;
  }
  private reserve(end: number): boolean {
    const have = this.memory.buffer.byteLength;
    if (end <= have) return true;
    const pages = Math.ceil((end - have) / PAGE);
    const extra = Math.min(Math.ceil(have / PAGE / 4), this.maxPages - have / PAGE - pages);
    for (const n of [pages + Math.max(extra, 0), pages]) {
      try {
        this.memory.grow(n);
        return true;
      } catch {
        // The next try asks for less.
      }
    }
    return false;
  }

  alloc(bytes: number, what: string): number {
    const at = this.tryAlloc(bytes);
    if (at === 0) {
      throw new MemoryError(
        what,
        `memory must fit into ${Math.round((this.maxPages * PAGE) / 1048576)} MB`,
        `a request for ${(bytes / 1048576).toFixed(1)} MB with ${(this.used / 1048576).toFixed(1)} MB in use`,
        'use smaller batches or fewer tensors at once; nothing was computed',
      );
    }
    return at;
  }

  release(at: number): void {
    const size = this.sizes.get(at);
    if (size === undefined) throw new Error(`heap: ${at} was not allocated`);
    this.sizes.delete(at);
    this.used -= size;
    // Insert sorted, then join with both neighbours.
    let lo = 0;
    let hi = this.free.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.free[mid]!.at < at) lo = mid + 1;
      else hi = mid;
    }
    this.free.splice(lo, 0, { at, size });
    const next = this.free[lo + 1];
    if (next !== undefined && at + size === next.at) {
      this.free[lo]!.size += next.size;
      this.free.splice(lo + 1, 1);
    }
    const prev = this.free[lo - 1];
    if (prev !== undefined && prev.at + prev.size === at) {
      prev.size += this.free[lo]!.size;
      this.free.splice(lo, 1);
    }
  }
}
