// The null device: plans, allocates and emits code like cpu, and runs none of it. Every value is zero.
// What is left when the arithmetic costs nothing: for measuring the host's share and for looking at plans.

import type { Node } from '../ir/node.ts';
import { CpuDevice } from './cpu.ts';
import { registerDevice } from './devices.ts';

class NullDevice extends CpuDevice {
  override readonly name = 'null';
  override execute(): void {}
  override share(): void {}
  override checkStatus(_nodes: readonly Node[]): void {}
}
registerDevice('null', () => new NullDevice({ threads: 1 }));
