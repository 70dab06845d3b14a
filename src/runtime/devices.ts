// The devices by name. `cpu` is always there; others register themselves when their module is loaded.
// In: a name. Out: the device. Not its job: choosing one.

import { flag } from '../base/env.ts';
import { DeviceError } from '../base/errors.ts';
import { CpuDevice } from './cpu.ts';
import type { Device } from './device.ts';

const factories = new Map<string, () => Device>([['cpu', () => new CpuDevice()]]);
const made = new Map<string, Device>();
/** Devices whose code is loaded when somebody asks for them. */
const loaders: Readonly<Record<string, () => Promise<unknown>>> = {
  reference: () => import('./reference.ts'),
  null: () => import('./null.ts'),
};
let preferred: string | null = null;

export function registerDevice(name: string, make: () => Device): void {
  factories.set(name, make);
}

/** Loads a device: `reference` (a plain interpreter, the definition of correct) or `null` (compiles, runs nothing). */
export async function useDevice(name: string): Promise<Device> {
  if (!factories.has(name)) await loaders[name]?.();
  return getDevice(name);
}

/** The device of this name. One that is not loaded is an error that says how to load it. */
export function getDevice(name: string): Device {
  let d = made.get(name);
  if (d === undefined) {
    const make = factories.get(name);
    if (make === undefined) {
      throw new DeviceError(
        'device',
        `loaded are ${[...factories.keys()].join(', ')}`,
        `'${name}'`,
        name in loaders
          ? `load it first: await useDevice('${name}')`
          : `there are cpu, ${Object.keys(loaders).join(', ')}`,
      );
    }
    d = make();
    made.set(name, d);
  }
  return d;
}

/** The device of new tensors. */
export const defaultDevice = (): string => (preferred ??= flag('TENON_DEVICE'));
/** The device that is asked for, which must be loaded, or the default one. */
export function deviceFor(name: string | undefined): string {
  if (name === undefined) return defaultDevice();
  getDevice(name);
  return name;
}
/** Sets the device of new tensors; a DeviceError where it is not loaded. */
export function setDefaultDevice(name: string): void {
  getDevice(name);
  preferred = name;
}
