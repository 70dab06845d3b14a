// Modules that hold others: Sequential, lists and dicts of modules and parameters.

import { show, ValueError } from '../base/errors.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { isModule } from './fields.ts';
import { type Layer, Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** A position that may count from the end; throws outside the list. */
function at(op: string, i: number, length: number): number {
  const k = i < 0 ? i + length : i;
  if (!(Number.isInteger(k) && k >= 0 && k < length))
    throw new ValueError(op, `an index must be within the ${length} entries`, String(i), '');
  return k;
}

/** What Sequential and ModuleList share: children under the names 0, 1, 2, … */
abstract class Numbered<M extends Module> extends Module {
  /** How many modules there are. */
  override get length(): number {
    return this._allChildren().length;
  }
  /** The i-th module; negative counts from the end. */
  at(i: number): M {
    const all = this.toArray();
    return all[at(this.constructor.name, i, all.length)]!;
  }
  toArray(): M[] {
    return this._allChildren().map(([, m]) => m as M);
  }
  [Symbol.iterator](): Iterator<M> {
    return this.toArray()[Symbol.iterator]();
  }
  append(module: M): this {
    this.addModule(`${this.length}`, checked(this, module));
    return this;
  }
  extend(modules: Iterable<M>): this {
    for (const m of modules) this.append(m);
    return this;
  }
  insert(i: number, module: M): this {
    const all = this.toArray();
    all.splice(i < 0 ? i + all.length : i, 0, module);
    return this.replaceAll(all);
  }
  /** Puts another module at position i. */
  set(i: number, module: M): this {
    const names = this._allChildren();
    this.addModule(names[at(this.constructor.name, i, names.length)]![0], checked(this, module));
    return this;
  }
  /** Takes out the i-th module and returns it; those behind move up. */
  pop(i = -1): M {
    const all = this.toArray();
    const [taken] = all.splice(at(this.constructor.name, i, all.length), 1);
    this.replaceAll(all);
    return taken!;
  }
  private replaceAll(modules: readonly M[]): this {
    for (const [name] of this._allChildren()) delete (this as unknown as Record<string, unknown>)[name];
    modules.forEach((m, i) => {
      this.addModule(`${i}`, m);
    });
    return this;
  }
}
function checked<M>(owner: Module, m: M): M {
  if (isModule(m)) return m;
  throw new ValueError(
    owner.constructor.name,
    'it holds modules',
    show(m),
    'wrap a function in a module of its own',
  );
}

/**
 * Layers one after the other: `new Sequential(new Linear(2, 4), new ReLU())`, or with names:
 * `new Sequential({ fc: new Linear(2, 4), act: new ReLU() })`.
 */
export class Sequential extends Numbered<Layer> {
  constructor(layers: Readonly<Record<string, Layer>>);
  constructor(...layers: Layer[]);
  constructor(...layers: (Layer | Readonly<Record<string, Layer>>)[]) {
    super();
    const [first] = layers;
    if (layers.length === 1 && !isModule(first) && typeof first === 'object') {
      for (const [name, m] of Object.entries(first)) this.addModule(name, checked(this, m));
    } else {
      for (const m of layers) this.append(m as Layer);
    }
  }
  forward(x: Tensor): Tensor {
    for (const layer of this) x = layer(x);
    return x;
  }
  /** The layers from `start` up to, not including, `end` as a Sequential of the same layers. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(Object.fromEntries(this._allChildren().slice(start, end)) as Record<string, Layer>);
  }
}

/** A list whose modules are registered; it has no forward of its own. */
export class ModuleList<M extends Module = Layer> extends Numbered<M> {
  constructor(modules: Iterable<M> = []) {
    super();
    this.extend(modules);
  }
  forward(..._inputs: never[]): never {
    return notCallable(this);
  }
  /** Equal neighbours are shown once, as in PyTorch. */
  override _childLines(): [name: string, text: string][] {
    const out: [from: number, to: number, text: string][] = [];
    this.toArray().forEach((m, i) => {
      const text = m.toString();
      const last = out[out.length - 1];
      if (last?.[2] === text) last[1] = i;
      else out.push([i, i, text]);
    });
    return out.map(([from, to, text]) =>
      from === to ? [`${from}`, text] : [`${from}-${to}`, `${to - from + 1} x ${text}`],
    );
  }
}
function notCallable(m: Module): never {
  throw new ValueError(
    m.constructor.name,
    'it has no forward',
    'a call',
    'call the modules in it one by one',
  );
}

/** Modules by name, registered; it has no forward of its own. */
export class ModuleDict<M extends Module = Layer> extends Module {
  constructor(modules: Readonly<Record<string, M>> | Iterable<readonly [string, M]> = {}) {
    super();
    this.update(modules);
  }
  update(modules: Readonly<Record<string, M>> | Iterable<readonly [string, M]>): this {
    const pairs = Symbol.iterator in modules ? (modules as Iterable<[string, M]>) : Object.entries(modules);
    for (const [name, m] of pairs) this.set(name, m);
    return this;
  }
  get(name: string): M {
    return this.getSubmodule(name) as M;
  }
  set(name: string, module: M): this {
    this.addModule(name, checked(this, module));
    return this;
  }
  has(name: string): boolean {
    return this._allChildren().some(([n]) => n === name);
  }
  pop(name: string): M {
    const m = this.get(name);
    delete (this as unknown as Record<string, unknown>)[name];
    return m;
  }
  keys(): string[] {
    return this._allChildren().map(([name]) => name);
  }
  values(): M[] {
    return this._allChildren().map(([, m]) => m as M);
  }
  entries(): [string, M][] {
    return this._allChildren() as [string, M][];
  }
  get size(): number {
    return this._allChildren().length;
  }
  forward(..._inputs: never[]): never {
    return notCallable(this);
  }
}

const line = (p: Tensor): string => `Parameter containing: [${p.dtype} of size ${p.shape.join('x')}]`;
const asParameter = (owner: Module, t: Tensor): Parameter => {
  if (!isTensor(t)) throw new ValueError(owner.constructor.name, 'it holds tensors', show(t), '');
  return t instanceof Parameter ? t : new Parameter(t);
};

/** A list whose parameters are registered; plain tensors become parameters. */
export class ParameterList extends Module {
  constructor(parameters: Iterable<Tensor> = []) {
    super();
    this.extend(parameters);
  }
  override get length(): number {
    return this.toArray().length;
  }
  at(i: number): Parameter {
    const all = this.toArray();
    return all[at('ParameterList', i, all.length)]!;
  }
  toArray(): Parameter[] {
    return this._ownState().map(([, p]) => p as Parameter);
  }
  [Symbol.iterator](): Iterator<Parameter> {
    return this.toArray()[Symbol.iterator]();
  }
  append(parameter: Tensor): this {
    this.registerParameter(`${this.length}`, asParameter(this, parameter));
    return this;
  }
  extend(parameters: Iterable<Tensor>): this {
    for (const p of parameters) this.append(p);
    return this;
  }
  set(i: number, parameter: Tensor): this {
    this.registerParameter(`${at('ParameterList', i, this.length)}`, asParameter(this, parameter));
    return this;
  }
  forward(..._inputs: never[]): never {
    return notCallable(this);
  }
  override _childLines(): [name: string, text: string][] {
    return this._ownState().map(([name, p]) => [name, line(p)]);
  }
}

/** Parameters by name, registered; plain tensors become parameters. */
export class ParameterDict extends Module {
  constructor(parameters: Readonly<Record<string, Tensor>> = {}) {
    super();
    for (const [name, p] of Object.entries(parameters)) this.set(name, p);
  }
  get(name: string): Parameter {
    const found = this._ownState().find(([n]) => n === name);
    if (found === undefined)
      throw new ValueError('ParameterDict', `it has ${this.keys().join(', ') || 'no names'}`, show(name), '');
    return found[1] as Parameter;
  }
  set(name: string, parameter: Tensor): this {
    this.registerParameter(name, asParameter(this, parameter));
    return this;
  }
  has(name: string): boolean {
    return this._ownState().some(([n]) => n === name);
  }
  pop(name: string): Parameter {
    const p = this.get(name);
    delete (this as unknown as Record<string, unknown>)[name];
    return p;
  }
  keys(): string[] {
    return this._ownState().map(([name]) => name);
  }
  values(): Parameter[] {
    return this._ownState().map(([, p]) => p as Parameter);
  }
  entries(): [string, Parameter][] {
    return this._ownState() as [string, Parameter][];
  }
  forward(..._inputs: never[]): never {
    return notCallable(this);
  }
  override _childLines(): [name: string, text: string][] {
    return this._ownState().map(([name, p]) => [name, line(p)]);
  }
}
