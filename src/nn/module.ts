// Module: what owns parameters, buffers and other modules, finds them by the fields they are assigned to, and is called
// like a function.
// In: a subclass with fields and forward. Out: everything that training, saving and printing need.
//
// A module is a Proxy over a function: `model(x)` runs forward with hooks, and a field that is defined or assigned goes
// through `defineProperty`, where parameters, buffers and modules are noted in the order of assignment, as in PyTorch.

import { DTYPES, type DType, isDType } from '../base/dtype.ts';
import { show, ValueError } from '../base/errors.ts';
import { realize } from '../tensor/realize.ts';
import { recording } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { run } from './call.ts';
import { bare, fieldsOf, type Registry, registryOf } from './fields.ts';
import {
  addHook,
  type BackwardHook,
  type BackwardPreHook,
  type ForwardHook,
  type ForwardPreHook,
  Hooks,
} from './hooks.ts';
import { noteFresh, type Parameter } from './parameter.ts';
import { type LoadOptions, type LoadResult, loadState, type StateDict, stateOf } from './state-dict.ts';

/** A call runs forward, with hooks, and takes and returns what forward does. */
export interface Module {
  // biome-ignore lint/style/useShorthandFunctionType: a part of the class, which may say `this`
  (...inputs: Parameters<this['forward']>): ReturnType<this['forward']>;
}
/**
 * The base of all layers and models. Fields that hold a Parameter, a registered buffer or a Module are found by their
 * names, in the order of assignment:
 *
 *     class Net extends Module {
 *       readonly fc1 = new Linear(784, 128);
 *       readonly fc2 = new Linear(128, 10);
 *       forward(x: Tensor): Tensor {
 *         return this.fc2(this.fc1(x).relu());
 *       }
 *     }
 *     const net = new Net();
 *     net(x);
 *
 * Private `#fields` are not seen; modules in a list belong into a ModuleList or a Sequential.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the call signature has no other place
export abstract class Module {
  /** Whether dropout drops and batch norm follows the batch. Default true. */
  declare training: boolean;

  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: fields of subclasses are then defined through the proxy
    return bare(new.target.prototype, run) as this;
  }

  abstract forward(...inputs: never[]): unknown;

  // ---- registration -------------------------------------------------------------------------------------------------

  /** A parameter under this name, or null: a place that the state dict leaves out. */
  registerParameter(name: string, parameter: Parameter | null): void {
    checkName(this, name);
    registryOf(this).parameters.add(name);
    fieldsOf(this)[name] = parameter;
  }
  /** A tensor that belongs to the state but is not trained; with `persistent: false` the state dict leaves it out. */
  registerBuffer(name: string, tensor: Tensor | null, options: { persistent?: boolean } = {}): void {
    checkName(this, name);
    const { buffers, transient } = registryOf(this);
    buffers.add(name);
    if (options.persistent === false) transient.add(name);
    else transient.delete(name);
    if (tensor !== null) noteFresh(tensor);
    fieldsOf(this)[name] = tensor;
  }
  /** A child under a name that need not be a field of the class. */
  addModule(name: string, module: Module | null): void {
    checkName(this, name);
    registryOf(this).modules.add(name);
    fieldsOf(this)[name] = module;
  }

  // ---- what is in it ------------------------------------------------------------------------------------------------

  /** All parameters, each once; those of this module alone without `recurse`. */
  parameters(options: { recurse?: boolean } = {}): Parameter[] {
    return this.namedParameters(options).map(([, p]) => p);
  }
  /** With their names: `fc1.weight`. */
  namedParameters(options: NamedOptions = {}): [name: string, parameter: Parameter][] {
    return this.named(r => r.parameters, options) as [string, Parameter][];
  }
  buffers(options: { recurse?: boolean } = {}): Tensor[] {
    return this.namedBuffers(options).map(([, b]) => b);
  }
  namedBuffers(options: NamedOptions = {}): [name: string, buffer: Tensor][] {
    return this.named(r => r.buffers, options);
  }
  private named(names: (r: Registry) => Iterable<string>, options: NamedOptions): [string, Tensor][] {
    const { prefix = '', recurse = true } = options;
    const out = new Map<Tensor, string>();
    for (const [path, m] of recurse ? this.namedModules(prefix) : [[prefix, this] as const]) {
      for (const name of names(registryOf(m))) {
        const t = fieldsOf(m)[name] as Tensor | null;
        if (t !== null && !out.has(t)) out.set(t, join(path, name));
      }
    }
    return [...out].map(([t, name]) => [name, t]);
  }
  /** The modules directly below. */
  children(): Module[] {
    return this.namedChildren().map(([, m]) => m);
  }
  namedChildren(): [name: string, module: Module][] {
    const out = new Map<Module, string>();
    for (const name of registryOf(this).modules) {
      const m = fieldsOf(this)[name] as Module | null;
      if (m !== null && !out.has(m)) out.set(m, name);
    }
    return [...out].map(([m, name]) => [name, m]);
  }
  /** This module and all below, each once, parents first. */
  modules(): Module[] {
    return this.namedModules().map(([, m]) => m);
  }
  namedModules(prefix = '', seen = new Set<Module>()): [name: string, module: Module][] {
    if (seen.has(this)) return [];
    seen.add(this);
    return [
      [prefix, this],
      ...this.namedChildren().flatMap(([name, m]) => m.namedModules(join(prefix, name), seen)),
    ];
  }
  /** The module at a path such as `encoder.0.fc1`; '' is this one. */
  getSubmodule(path: string): Module {
    let m: Module = this;
    for (const name of path === '' ? [] : path.split('.')) {
      const child = registryOf(m).modules.has(name) ? fieldsOf(m)[name] : null;
      if (child == null) {
        const names = m.namedChildren().map(([n]) => n);
        throw new ValueError('getSubmodule', `${m.constructor.name} has ${list(names)}`, show(name), '');
      }
      m = child as Module;
    }
    return m;
  }
  /** Calls `fn` with every module below, children first, and with this one. */
  apply(fn: (module: Module) => void): this {
    for (const m of this.children()) m.apply(fn);
    fn(this);
    return this;
  }

  // ---- modes, gradients, dtype and device -----------------------------------------------------------------------------

  /** Training mode for this module and all below, or eval mode. */
  train(mode = true): this {
    for (const m of this.modules()) m.training = mode;
    return this;
  }
  /** The same as train(false). */
  eval(): this {
    return this.train(false);
  }
  /** Whether gradients are recorded for all parameters: `requiresGrad_(false)` freezes them. */
  requiresGrad_(on = true): this {
    for (const p of this.parameters()) p.requiresGrad_(on);
    return this;
  }
  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const p of this.parameters()) p.grad = null;
  }
  /**
   * Parameters and buffers in another dtype (floating ones only) or on another device. They stay the same tensors, so
   * that an optimizer made before still has them.
   */
  to(target: DType | (string & {}) | { readonly dtype?: DType; readonly device?: string }): this {
    const options =
      typeof target !== 'string' ? target : isDType(target) ? { dtype: target } : { device: target };
    recording.now?.refuse('Module.to()');
    const { dtype, ...place } = options;
    if (dtype !== undefined && DTYPES[dtype].category !== 2) {
      throw new ValueError('to', 'modules take floating dtypes', dtype, 'convert single tensors instead');
    }
    const convert = (t: Tensor): Tensor =>
      t.detach().to(t.isFloatingPoint && dtype !== undefined ? { ...place, dtype } : place);
    const all = [...this.parameters(), ...this.buffers()];
    const now = all.map(convert);
    realize(now.map(t => t.node()));
    all.forEach((t, i) => {
      t._become(now[i]!.node());
      if (t._grad !== null) t._grad = convert(t._grad);
    });
    return this;
  }
  float(): this {
    return this.to('float32');
  }
  double(): this {
    return this.to('float64');
  }
  half(): this {
    return this.to('float16');
  }

  // ---- hooks ----------------------------------------------------------------------------------------------------------

  /** Runs before forward with the inputs, and may replace them; the result removes the hook. */
  registerForwardPreHook(hook: ForwardPreHook): () => void {
    return addHook(hooksOf(this).before, hook);
  }
  /** Runs after forward with inputs and output, and may replace the output. */
  registerForwardHook(hook: ForwardHook): () => void {
    return addHook(hooksOf(this).after, hook);
  }
  /** Runs in backward before the module, with the gradients of its outputs, and may replace them. */
  registerFullBackwardPreHook(hook: BackwardPreHook): () => void {
    return addHook(hooksOf(this).backwardBefore, hook);
  }
  /** Runs in backward after the module, with the gradients of inputs and outputs, and may replace those of the inputs. */
  registerFullBackwardHook(hook: BackwardHook): () => void {
    return addHook(hooksOf(this).backward, hook);
  }

  // ---- state ------------------------------------------------------------------------------------------------------------

  /** Parameters and persistent buffers by name, PyTorch's keys in PyTorch's order; they share memory with the module. */
  stateDict(prefix = ''): StateDict {
    return stateOf(this, prefix);
  }
  /**
   * Copies values by name. `strict: true` (default) wants exactly the module's keys, but a batch norm's
   * num_batches_tracked may be missing, as in PyTorch; without it what is missing or unexpected is returned. Another
   * shape is always an error, and after an error nothing has changed.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): LoadResult {
    return loadState(this, state, options);
  }
  /** @internal Names and tensors that belong to the state of this module alone. */
  _ownState(): [name: string, tensor: Tensor][] {
    const { parameters, buffers, transient } = registryOf(this);
    return [...parameters, ...[...buffers].filter(b => !transient.has(b))].flatMap(name => {
      const t = fieldsOf(this)[name] as Tensor | null;
      return t === null ? [] : [[name, t]];
    });
  }
  /** @internal All children by name, a shared one under each of its names. */
  _allChildren(): [name: string, module: Module][] {
    return [...registryOf(this).modules].flatMap(name => {
      const m = fieldsOf(this)[name] as Module | null;
      return m === null ? [] : [[name, m]];
    });
  }

  // ---- text -------------------------------------------------------------------------------------------------------------

  /** Multiply-accumulates of one call, without those of the modules in it: for `summary`. */
  macs(_inputs: readonly unknown[], _output: unknown): number {
    return 0;
  }
  /** What print shows in the brackets after the name. */
  extraRepr(): string {
    return '';
  }
  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    const indent = (s: string): string => s.replaceAll('\n', '\n  ');
    const extra = this.extraRepr();
    const lines = this._childLines().map(([name, text]) => `(${name}): ${indent(text)}`);
    const inside =
      lines.length === 0 ? extra : ['', ...(extra ? extra.split('\n') : []), ...lines].join('\n  ');
    return `${this.constructor.name}(${inside}${lines.length === 0 ? '' : '\n'})`;
  }
  /** @internal Children as print shows them. */
  _childLines(): [name: string, text: string][] {
    return this._allChildren().map(([name, m]) => [name, m.toString()]);
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** A module from one tensor to one tensor. */
export interface Layer extends Module {
  forward(x: Tensor): Tensor;
}

export interface NamedOptions {
  /** Put before all names. */
  readonly prefix?: string;
  /** Whether to go into children. Default true. */
  readonly recurse?: boolean;
}

const hooksOf = (m: Module): Hooks => (registryOf(m).hooks ??= new Hooks());
const join = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);
const list = (names: readonly string[]): string =>
  names.length === 0 ? 'no modules below' : `the modules ${names.join(', ')}`;

function checkName(m: Module, name: string): void {
  if (name === '' || name.includes('.')) {
    throw new ValueError(m.constructor.name, 'a name must not be empty nor have a dot', show(name), '');
  }
  const r = registryOf(m);
  // A field that is declared without a value is there, but empty.
  if (fieldsOf(m)[name] != null && !r.parameters.has(name) && !r.buffers.has(name) && !r.modules.has(name)) {
    throw new ValueError(m.constructor.name, 'a name must be free', `${show(name)}, which is taken`, '');
  }
}
