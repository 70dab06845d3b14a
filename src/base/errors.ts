// The one message format: `op: rule, got value. What to do.`
// In: the parts. Out: an Error whose text teaches. Not its job: deciding what is wrong.

export class TenonError extends Error {
  readonly op: string;
  constructor(op: string, rule: string, got: string, advice: string) {
    super(`${op}: ${rule}${got ? `, got ${got}` : ''}${advice ? `. ${advice}` : ''}`);
    this.op = op;
    this.name = new.target.name;
  }
  /** The module in which it happened, where it happened in one; the innermost names itself first. */
  module: string | null = null;
  inModule(path: string): void {
    if (this.module !== null) return;
    this.module = path;
    const { message, stack } = this;
    this.message = `${message} (in ${path})`;
    if (stack !== undefined) this.stack = stack.replace(message, () => this.message);
  }
}
/** Shapes or dims that do not fit. */
export class ShapeError extends TenonError {}
/** A dtype that the op does not take. */
export class DTypeError extends TenonError {}
/** Tensors on different devices, or a device that cannot do it. */
export class DeviceError extends TenonError {}
/** Mistakes with gradients: non-scalar backward, freed graph, overwritten value. */
export class GradError extends TenonError {}
/** Mistakes inside `compile`. */
export class CompileError extends TenonError {}
/** Not enough memory; nothing was computed. */
export class MemoryError extends TenonError {}
/** A value (label, index, option) outside its range. */
export class ValueError extends TenonError {}
/** A file that is missing, damaged, not what it should be, or cannot be read or written. */
export class FileError extends TenonError {}

export const showShape = (s: readonly number[]): string => `(${s.join(', ')})`;

/** Shows any value in an error text, briefly. */
export function show(x: unknown): string {
  if (typeof x === 'string') return `'${x}'`;
  if (Array.isArray(x)) return `[${x.slice(0, 8).map(show).join(', ')}${x.length > 8 ? ', …' : ''}]`;
  if (typeof x === 'object' && x !== null) return x.constructor?.name ?? 'object';
  return String(x);
}
