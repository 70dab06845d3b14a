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
  constructor(byteLength: number, host: Uint8Array<ArrayBuffer> | null) {
    this.byteLength = byteLength;
    this.host = host;
  }
}
