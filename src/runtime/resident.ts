// Which buffers have an address in WASM memory, and which of them leaves when room is needed: the least recently used
// idle one, whose bytes move to JavaScript. Large buffers are held weakly, so that one that died is just forgotten;
// nothing depends on that happening.

import type { CpuBuffer } from './buffer.ts';
import type { Heap } from './heap.ts';

/** From this size on a buffer is worth a weak reference. */
const WEAK_FROM = 65536;

export interface Entry {
  readonly ptr: number;
  readonly bytes: number;
  /** Holds a value that steps replace: it leaves only when memory runs out. */
  cell: boolean;
  readonly strong: CpuBuffer | null;
  readonly weak: WeakRef<CpuBuffer> | null;
}

export class Residents {
  /** In order of use: the first is the least recently used. */
  private readonly entries = new Set<Entry>();
  private readonly byBuffer = new WeakMap<CpuBuffer, Entry>();
  private readonly heap: Heap;
  private readonly copyOut: (ptr: number, into: Uint8Array) => void;
  private readonly deaths: FinalizationRegistry<Entry>;
  bytes = 0;
  /** Bytes of results and cached sources, which may leave at any time. */
  looseBytes = 0;

  constructor(heap: Heap, copyOut: (ptr: number, into: Uint8Array) => void) {
    this.heap = heap;
    this.copyOut = copyOut;
    this.deaths = new FinalizationRegistry(e => {
      if (this.entries.has(e)) this.forget(e);
    });
  }

  /** Gives a buffer the address `ptr`. */
  add(b: CpuBuffer, ptr: number, cell: boolean): void {
    const large = b.byteLength >= WEAK_FROM;
    const e: Entry = {
      ptr,
      bytes: b.byteLength,
      cell,
      strong: large ? null : b,
      weak: large ? new WeakRef(b) : null,
    };
    b.ptr = ptr;
    this.entries.add(e);
    this.byBuffer.set(b, e);
    this.bytes += e.bytes;
    if (!cell) this.looseBytes += e.bytes;
    if (large) this.deaths.register(b, e);
  }
  /** Notes a use. Small buffers keep their place: exact order matters little there. */
  touch(b: CpuBuffer): void {
    if (b.byteLength < WEAK_FROM || b.ptr === 0) return;
    const e = this.byBuffer.get(b)!;
    this.entries.delete(e);
    this.entries.add(e);
  }
  /** From now on the buffer holds a cell. */
  keep(b: CpuBuffer): void {
    const e = this.byBuffer.get(b);
    if (e === undefined || e.cell) return;
    e.cell = true;
    this.looseBytes -= e.bytes;
  }
  /** Takes the address away; the bytes are lost. */
  drop(b: CpuBuffer): void {
    this.forget(this.byBuffer.get(b)!);
    this.byBuffer.delete(b);
    b.ptr = 0;
  }
  private forget(e: Entry): void {
    this.entries.delete(e);
    this.heap.release(e.ptr);
    this.bytes -= e.bytes;
    if (!e.cell) this.looseBytes -= e.bytes;
  }
  /** Makes one idle buffer leave; `cells` allows those too. False where there is none. */
  evict(stamp: number, cells: boolean): boolean {
    for (const e of this.entries) {
      if (e.cell && !cells) continue;
      const b = e.strong ?? e.weak!.deref();
      if (b === undefined) {
        this.forget(e);
        return true;
      }
      if (b.stamp === stamp) continue;
      if (b.host === null) this.copyOut(e.ptr, b.moveOut());
      this.drop(b);
      return true;
    }
    return false;
  }
}
