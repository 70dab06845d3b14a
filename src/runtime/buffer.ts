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
   * Untouched memory that stands for the bytes in WASM memory: V8 does not see those, but it sees this, and so collects
   * dead results in time. A quarter of the size: at the full size it collects three times as often as pays.
   */
  shadow: ArrayBuffer | null = null;

  constructor(byteLength: number, host: Uint8Array<ArrayBuffer> | null) {
    this.byteLength = byteLength;
    this.host = host;
  }
  castShadow(): void {
    this.shadow = new ArrayBuffer(this.byteLength >> 2);
  }
  /** Memory for bytes that leave WASM memory; V8 counts it in full. */
  moveOut(): Uint8Array<ArrayBuffer> {
    this.shadow = null;
    this.host = new Uint8Array(this.byteLength);
    return this.host;
  }
}
