// Bytes of a tensor on the cpu: in a JavaScript ArrayBuffer, at an address in WASM memory, or both.

import type { Storage } from '../ir/node.ts';

export class CpuBuffer implements Storage {
  readonly byteLength: number;
  /** Null where only WASM memory has the current bytes. */
  host: Uint8Array<ArrayBuffer> | null;
  /** Address in WASM memory; 0 for none. */
  ptr = 0;
  /** The run that used it last. */
  stamp = 0;
  /** How often it was a source without an address. */
  uses = 0;
  /**
   * Untouched memory of the same size: V8 does not see WASM bytes, but it sees this, and collects dead results as if
   * they were its own. The bytes move here when they leave WASM memory.
   */
  private shadow: ArrayBuffer | null = null;

  constructor(byteLength: number, host: Uint8Array<ArrayBuffer> | null) {
    this.byteLength = byteLength;
    this.host = host;
  }
  castShadow(): void {
    this.shadow = new ArrayBuffer(this.byteLength);
  }
  takeShadow(): Uint8Array<ArrayBuffer> {
    const s = this.shadow ?? new ArrayBuffer(this.byteLength);
    this.shadow = null;
    return new Uint8Array(s);
  }
}
