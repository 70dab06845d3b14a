// Bytes of a tensor on the cpu: in a JavaScript ArrayBuffer or an array of the engine's heap, at an address in WASM memory, or both.
// The tensor holds a CpuBuffer, the device's list of residents only its Home: so a buffer can die while its bytes are listed.

import type { Storage } from '../ir/node.ts';

/** Where the bytes are. */
export class Home {
  readonly byteLength: number;
  /** Null where the current bytes are elsewhere only. */
  host: Uint8Array<ArrayBuffer> | null;
  /** The bytes as an array of the engine's heap (keeper.ts). */
  kept: object | null = null;
  /** Address in WASM memory; 0 for none. */
  ptr = 0;
  /** Holds a value that steps replace: it leaves only when memory runs out. */
  cell = false;
  /** The run that used it last. */
  stamp = 0;
  /** The buffer, to see whether it still lives; null where that is not known. */
  owner: WeakRef<CpuBuffer> | null = null;

  constructor(byteLength: number, host: Uint8Array<ArrayBuffer> | null) {
    this.byteLength = byteLength;
    this.host = host;
  }
}

export class CpuBuffer implements Storage {
  readonly home: Home;
  /** How often it was a source without an address. */
  uses = 0;
  /**
   * Untouched memory that stands for the bytes in WASM memory: V8 does not see those, but it sees this, and so collects
   * dead results in time. An eighth of the size: at the full size it collects many times as often as pays.
   */
  shadow: ArrayBuffer | null = null;

  constructor(byteLength: number, host: Uint8Array<ArrayBuffer> | null) {
    this.home = new Home(byteLength, host);
  }
  castShadow(): void {
    this.shadow = new ArrayBuffer(this.byteLength >> 3);
  }
  get byteLength(): number {
    return this.home.byteLength;
  }
  get host(): Uint8Array<ArrayBuffer> | null {
    return this.home.host;
  }
  get ptr(): number {
    return this.home.ptr;
  }
}

/** A piece of a buffer: what a run reads where the program slices data. */
export class Part implements Storage {
  readonly whole: CpuBuffer;
  readonly offset: number;
  readonly byteLength: number;

  constructor(whole: CpuBuffer, offset: number, byteLength: number) {
    this.whole = whole;
    this.offset = offset;
    this.byteLength = byteLength;
  }
}
