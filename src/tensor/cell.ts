// A cell: the storage in which a tensor's value lives while in-place methods replace it.
// In: the owner's newest node. Out: the home for its value. Old versions that somebody may read are kept apart.

import { usedUp } from '../autograd/grad.ts';
import type { Node, Storage } from '../ir/node.ts';
import { dataHash } from '../ir/ops/elementwise.ts';
import type { Device } from '../runtime/device.ts';

/** Stands for a value that exists only inside a recorded step, or that was replaced while nobody could read it. */
export class GoneStorage implements Storage {
  readonly byteLength = 0;
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

/** Whether old versions are kept for those who may read them; tests switch it off to see the fuzz fail. */
export const versions = { kept: true };

/** The value of a node is there: from now on it is a source. */
export function settle(n: Node, s: Storage): void {
  n.value = s;
  n.hash = dataHash(n.shape, n.dtype);
  // What is needed for gradients stays until backward has used it.
  if (!n.needsGrad || n.leaf !== null || usedUp(n)) n.src = [];
}

export interface CellOwner {
  /** The newest value; for a leaf of autograd an alias of `valueNode`. */
  _node: Node;
  _version: number;
  /** A new node for the value in the home. */
  _renew(): Node;
}

export class Cell {
  readonly home: Storage;
  private readonly owner: CellOwner;
  /** Nodes whose value is the home as it is now. */
  private readers: Node[];
  /** Whether anybody can still see the owner; a gradient that was dropped unread need not be computed. */
  alive: () => boolean = () => true;

  constructor(owner: CellOwner, home: Storage, readers: Node[]) {
    this.owner = owner;
    this.home = home;
    this.readers = readers;
  }
  get pending(): boolean {
    return this.owner._node.value === null;
  }
  get node(): Node {
    return this.owner._node;
  }
  /** What computes the new value. */
  get valueNode(): Node {
    const n = this.owner._node;
    return n.leaf !== null && n.value === null && n.src.length === 1 ? n.src[0]! : n;
  }
  addReader(n: Node): void {
    this.readers.push(n);
  }
  /** A copy of the old version for those who may still read it; null where nobody can. */
  snapshot(device: Device): Storage | null {
    return versions.kept && this.readers.some(n => n.userRead) ? device.clone(this.home) : null;
  }
  /** The home now holds the newest value. */
  commit(old: Storage | null): void {
    const left = old ?? (versions.kept ? REPLACED : this.home);
    for (const n of this.readers) n.value = left;
    const n = this.owner._node;
    const nodes = [this.valueNode, n].filter((x, i, all) => x.value === null && all.indexOf(x) === i);
    for (const x of nodes) {
      settle(x, this.home);
      // Only the owner's node can have readers of its own that are still pending.
      if (x !== n) x.userRead = false;
    }
    this.readers = nodes;
  }
  /** The pending value cannot be computed: the owner has the one before again. */
  revert(): void {
    const n = this.owner._renew();
    if (this.readers.length === 0) n.value = NEVER;
    this.owner._node = n;
    this.owner._version++;
    this.readers.push(n);
  }
  /** A compiled step has written the home: the owner's node stays, unless someone may read the old version. */
  replaced(old: Storage | null, fresh: () => Node): void {
    if (old === null) return;
    for (const n of this.readers) n.value = old;
    const n = fresh();
    this.owner._node = n;
    this.readers = [n];
  }
}
const NEVER = new GoneStorage('a value whose computation failed');
const REPLACED = new GoneStorage('a version of a tensor that was replaced in place');
