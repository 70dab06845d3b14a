// Values as PyTorch prints them in the description of a layer.

import { isTensor } from '../tensor/operand.ts';

/** True, False, None, 0.5, (3, 3), 1e-05. */
export function py(x: unknown): string {
  if (typeof x === 'boolean') return x ? 'True' : 'False';
  if (x === null || x === undefined) return 'None';
  if (typeof x === 'string') return `'${x}'`;
  if (Array.isArray(x)) return `(${x.map(py).join(', ')}${x.length === 1 ? ',' : ''})`;
  if (isTensor(x)) return x.toString();
  return typeof x === 'number' ? number(x) : String(x);
}
/** A number that is a float in Python. */
export const pyFloat = (x: number): string =>
  Number.isInteger(x) && Math.abs(x) < 1e16 ? `${x}.0` : number(x);
function number(x: number): string {
  if (Number.isInteger(x) || (Math.abs(x) >= 1e-4 && Math.abs(x) < 1e16)) return String(x);
  const [digits, exponent] = x.toExponential().split('e') as [string, string];
  return `${digits}e${exponent.startsWith('-') ? '-' : '+'}${exponent.slice(1).padStart(2, '0')}`;
}
