// The fields of a module: which of them are parameters, buffers and modules, in the order of assignment.
// In: a field that is defined, assigned or deleted. Out: what a module knows of itself, and recorded steps told of it.

import { show, ValueError } from '../base/errors.ts';
import { mix } from '../ir/node.ts';
import { hostEffect } from '../tensor/host.ts';
import { isTensor } from '../tensor/operand.ts';
import { structure, structureChanged } from '../tensor/record.ts';
import type { Hooks } from './hooks.ts';
import type { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** What a module knows of its fields: names in the order of assignment. A field that is null keeps its place. */
export interface Registry {
  /** The module without its traps. */
  readonly target: Module;
  readonly parameters: Set<string>;
  readonly buffers: Set<string>;
  readonly transient: Set<string>;
  readonly modules: Set<string>;
  hooks: Hooks | null;
  /** Stands for this module in `structure.modes`. */
  readonly mode: bigint;
  /** Called at least once: recorded steps may depend on what its fields are. */
  ran: boolean;
}
export type Fields = Record<string, unknown> & { training: boolean };
const registries = new WeakMap<object, Registry>();

/** Whether a value is a Module: what a container or a state dict walks into. */
export const isModule = (x: unknown): x is Module => typeof x === 'function' && registries.has(x);
export const registryOf = (m: Module): Registry => registries.get(m)!;
export const fieldsOf = (m: Module): Fields => m as unknown as Fields;

/** The modules whose forward is running, outermost first. */
export const running: Module[] = [];

let made = 0;
/** 64 well-mixed bits for the n-th module. */
function modeBits(n: number): bigint {
  return (BigInt(mix(n, 0x9e3779b9) >>> 0) << 32n) | BigInt(mix(0x85ebca6b, n) >>> 0);
}

/** What a call of a module does. */
type Run = (m: Module, inputs: unknown[]) => unknown;
/** A module of a class, in training mode, before its constructor has made fields. */
export function bare(prototype: object, run: Run): Module {
  const target = (...inputs: unknown[]): unknown => run(proxy, inputs);
  // A module has a module's properties and not a function's: fields may be called name and length.
  delete (target as { name?: string }).name;
  delete (target as { length?: number }).length;
  Object.setPrototypeOf(target, prototype);
  const registry: Registry = {
    target: target as unknown as Module,
    parameters: new Set(),
    buffers: new Set(),
    transient: new Set(),
    modules: new Set(),
    hooks: null,
    mode: modeBits(++made),
    ran: false,
  };
  (target as unknown as Fields).training = true;
  const proxy = new Proxy(target as unknown as Module, TRAPS);
  registries.set(target, registry);
  registries.set(proxy, registry);
  return proxy;
}

const TRAPS: ProxyHandler<Module> = {
  defineProperty(target, key, descriptor) {
    if (typeof key === 'symbol' || !('value' in descriptor)) {
      return Reflect.defineProperty(target, key, descriptor);
    }
    const { value } = descriptor;
    if (key === 'training') {
      setTraining(target, Boolean(value));
      return true;
    }
    const registry = registryOf(target);
    const old = fieldsOf(target)[key];
    register(target, registry, key, value);
    if (old !== value && changes(registry, key, old, value)) structureChanged();
    return Reflect.defineProperty(target, key, descriptor);
  },
  deleteProperty(target, key) {
    const r = registryOf(target);
    for (const names of [r.parameters, r.buffers, r.transient, r.modules]) names.delete(String(key));
    structureChanged();
    return Reflect.deleteProperty(target, key);
  },
};

/** Notes under which kind a field belongs; refuses what does not fit the kind it has. */
function register(target: Module, r: Registry, key: string, value: unknown): void {
  if (value instanceof Parameter) {
    r.buffers.delete(key);
    r.modules.delete(key);
    r.parameters.add(key);
  } else if (isModule(value)) {
    r.parameters.delete(key);
    r.buffers.delete(key);
    r.modules.add(key);
  } else if (value !== null) {
    const kind = r.parameters.has(key)
      ? 'a Parameter'
      : r.modules.has(key)
        ? 'a Module'
        : r.buffers.has(key) && !isTensor(value)
          ? 'a tensor'
          : null;
    if (kind === null) return;
    throw new ValueError(
      target.constructor.name,
      `the field ${key} takes ${kind} or null`,
      show(value),
      kind === 'a Parameter' ? 'wrap the tensor in new Parameter(…), or change the values with copy_' : '',
    );
  }
}

/** Whether recorded steps may depend on a field that gets another value. */
function changes(r: Registry, key: string, old: unknown, value: unknown): boolean {
  if (isTensor(old) || isModule(old)) {
    if (r.parameters.has(key) || r.buffers.has(key) || r.modules.has(key)) return true;
  }
  if (!r.ran) return false;
  if (value instanceof Parameter || isModule(value)) return true;
  // Options and plain tensors, between calls; what forward itself keeps in a field is its own affair.
  return running.length === 0 && (value === null || typeof value !== 'object' || isTensor(value));
}

function setTraining(target: Module, on: boolean): void {
  const fields = fieldsOf(target);
  const set = (mode: boolean): void => {
    if (fields.training === mode) return;
    fields.training = mode;
    structure.modes ^= registryOf(target).mode;
  };
  // A step that flips modes flips them at each call.
  if (fields.training !== on)
    hostEffect({ save: () => fields.training, restore: s => set(s as boolean) }, () => set(on));
}
