// The devices by name. `cpu` is always there; others register themselves when their module is loaded.

import { flag } from '../base/env.ts';
import { DeviceError } from '../base/errors.ts';
import { CpuDevice } from './cpu.ts';
import type { Device } from './device.ts';

const factories = new Map<string, () => Device>([['cpu', () => new CpuDevice()]]);
const made = new Map<string, Device>();
let preferred: string | null = null;

export function registerDevice(name: string, make: () => Device): void {
  factories.set(name, make);
}

export function getDevice(name: string): Device {
  let d = made.get(name);
  if (d === undefined) {
    const make = factories.get(name);
    if (make === undefined) {
      throw new DeviceError(
        'device',
        `known devices are ${[...factories.keys()].join(', ')}`,
        `'${name}'`,
        `load it first: await useDevice('${name}')`,
      );
    }
    d = make();
    made.set(name, d);
  }
  return d;
}

/** The device of new tensors. */
export const defaultDevice = (): string => (preferred ??= flag('TENON_DEVICE'));
export function setDefaultDevice(name: string): void {
  getDevice(name);
  preferred = name;
}
/** Forgets a device, so that the next use makes it anew (tests). */
export function resetDevice(name: string): void {
  made.delete(name);
}
