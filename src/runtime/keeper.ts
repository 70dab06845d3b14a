// Small results on the engine's own heap: arrays of WebAssembly's garbage collector. They cost half of an ArrayBuffer and die
// like any object; their bytes are reached through the WASM memory alone.
// In: addresses. Out: arrays. Not its job: which results are kept so (cpu.ts).

export interface Keeper {
  /** Copies vectors of 16 bytes from an address into a new array. */
  keep(ptr: number, vectors: number): object;
  /** Copies an array to an address. */
  restore(array: object, ptr: number): void;
}

/** keep : (i32, i32) → array and restore : (array, i32) → (), with array = (array (mut v128)). */
function keeperModule(maxPages: number): Uint8Array<ArrayBuffer> {
  // biome-ignore format: one instruction after the other
  const keep = [
    2, 1, 0x63, 0, 1, 0x7f, // locals: 2 the array, 3 i
    0x20, 1, 0xfb, 7, 0, 0x21, 2, // array.new_default
    0x03, 0x40, // loop
    0x20, 2, 0x20, 3, 0x20, 0, 0xfd, 0, 4, 0, 0xfb, 14, 0, // a[i] = v128.load(ptr)
    0x20, 0, 0x41, 16, 0x6a, 0x21, 0, // ptr += 16
    0x20, 3, 0x41, 1, 0x6a, 0x22, 3, 0x20, 1, 0x48, 0x0d, 0, 0x0b, // while (++i < vectors)
    0x20, 2, 0x0b,
  ];
  // biome-ignore format: one instruction after the other
  const restore = [
    1, 1, 0x7f, // local: 2 i
    0x03, 0x40, // loop
    0x20, 1, 0x20, 0, 0x20, 2, 0xfb, 11, 0, 0xfd, 11, 4, 0, // v128.store(ptr, a[i])
    0x20, 1, 0x41, 16, 0x6a, 0x21, 1, // ptr += 16
    0x20, 2, 0x41, 1, 0x6a, 0x22, 2, 0x20, 0, 0xfb, 15, 0x48, 0x0d, 0, 0x0b, // while (++i < array.len(a))
    0x0b,
  ];
  const pages = [(maxPages & 127) | 128, ((maxPages >> 7) & 127) | 128, maxPages >> 14];
  // biome-ignore format: a section per line
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    1, 17, 3, 0x5e, 0x7b, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x63, 0, 0x60, 2, 0x63, 0, 0x7f, 0, // types
    2, 11, 1, 1, 101, 1, 109, 2, 3, 1, ...pages, // the shared memory, as e.m
    3, 3, 2, 1, 2, // functions
    7, 18, 2, 4, 107, 101, 101, 112, 0, 0, 7, 114, 101, 115, 116, 111, 114, 101, 0, 1, // exports: keep, restore
    10, keep.length + restore.length + 3, 2, keep.length, ...keep, restore.length, ...restore, // code
  ]);
}

/** Null where the engine has no such arrays (Node 20). */
export function makeKeeper(memory: WebAssembly.Memory, maxPages: number): Keeper | null {
  const bytes = keeperModule(maxPages);
  if (!WebAssembly.validate(bytes)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: memory } });
  return exports as unknown as Keeper;
}
