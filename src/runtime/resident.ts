// Which buffers have an address in WASM memory, and which of them leaves when room is needed: the least recently used
// idle one, whose bytes move to JavaScript. One that died is just forgotten where that can be seen; nothing depends on it:
// within a long synchronous loop bytes of the dead move out like others, and are garbage there.

import type { CpuBuffer, Home } from './buffer.ts';
import type { Heap } from './heap.ts';

/**
 * From this size on it pays to hear of a buffer's death and to keep the exact order of use. Smaller results are copied to
 * JavaScript at once: kept here, nobody would say when they are garbage, and the next would be written to cold memory.
 */
export const LARGE = 65536;
/** V8 keeps what has a weak reference until the task ends: no more bytes than these get one in a task. */
const WEAK_BYTES = 256 * 1024 * 1024;

export class Residents {
  /** In order of use: the first is the least recently used. */
  private readonly homes = new Set<Home>();
  private readonly heap: Heap;
  private readonly copyOut: (ptr: number, bytes: number) => Uint8Array<ArrayBuffer>;
  private readonly deaths: FinalizationRegistry<Home>;
  /** Bytes that got a weak reference in this task. */
  private weak = 0;
  bytes = 0;
  /** Bytes of results and cached sources, which may leave at any time. */
  looseBytes = 0;

  constructor(heap: Heap, copyOut: (ptr: number, bytes: number) => Uint8Array<ArrayBuffer>) {
    this.heap = heap;
    this.copyOut = copyOut;
    this.deaths = new FinalizationRegistry(h => {
      if (h.ptr !== 0) this.drop(h);
    });
  }

  /** Gives a buffer the address `ptr`. */
  add(b: CpuBuffer, ptr: number, cell: boolean): void {
    const h = b.home;
    h.ptr = ptr;
    h.cell = cell;
    this.homes.add(h);
    this.bytes += h.byteLength;
    if (!cell) this.looseBytes += h.byteLength;
    if (h.byteLength < LARGE) return;
    this.deaths.register(b, h, h);
    h.owner = this.weak < WEAK_BYTES ? new WeakRef(b) : null;
    if (this.weak === 0)
      setTimeout(() => {
        this.weak = 0;
      }, 0);
    this.weak += h.byteLength;
  }
  /** Notes a use. Small buffers keep their place: exact order matters little there. */
  touch(h: Home): void {
    if (h.byteLength < LARGE || h.ptr === 0) return;
    this.homes.delete(h);
    this.homes.add(h);
  }
  /** From now on the buffer holds a cell. */
  keep(h: Home): void {
    if (h.ptr === 0 || h.cell) return;
    h.cell = true;
    this.looseBytes -= h.byteLength;
  }
  /** Takes the address away; the bytes are lost. */
  drop(h: Home): void {
    this.homes.delete(h);
    this.heap.release(h.ptr);
    this.bytes -= h.byteLength;
    if (!h.cell) this.looseBytes -= h.byteLength;
    h.ptr = 0;
    // The registry would hold the home, and bytes that moved out with it, until it can say that its buffer died.
    if (h.byteLength >= LARGE) this.deaths.unregister(h);
  }
  /** Makes one idle buffer leave; `cells` allows those too. False where there is none. */
  evict(stamp: number, cells: boolean): boolean {
    for (const h of this.homes) {
      if ((h.cell && !cells) || h.stamp === stamp) continue;
      const dead = h.owner !== null && h.owner.deref() === undefined;
      if (!dead && h.kept === null) h.host ??= this.copyOut(h.ptr, h.byteLength);
      this.drop(h);
      return true;
    }
    return false;
  }
}
