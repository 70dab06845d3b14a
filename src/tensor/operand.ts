// Operands of tensor methods: tensors and plain numbers brought to one dtype by PyTorch's rules.

import { type DType, isFloat, type Operand, resultType } from '../base/dtype.ts';
import { DTypeError, show } from '../base/errors.ts';
import type { Node } from '../ir/node.ts';
import type { BinaryOp } from '../ir/op.ts';
import { cast } from '../ir/ops/elementwise.ts';
import { TensorCore, wrap } from './core.ts';
import { numberNode, Scalar } from './host.ts';
import type { Tensor } from './tensor.ts';

/** What ops take beside tensors: numbers, bools, and the number arguments of a compiled function. */
export type TensorLike = Tensor | number | bigint | boolean | Scalar;

export const isTensor = (x: unknown): x is Tensor => x instanceof TensorCore;

function operandOf(x: TensorLike, op: string): Operand {
  if (isTensor(x)) return { dtype: x.dtype, rank: x.ndim === 0 ? 'zero' : 'dim' };
  if (typeof x === 'boolean') return { dtype: 'bool', rank: 'number' };
  if (typeof x === 'bigint') return { dtype: 'int64', rank: 'number' };
  if (typeof x === 'number') return { dtype: Number.isInteger(x) ? 'int64' : 'float32', rank: 'number' };
  if (x instanceof Scalar) return { dtype: 'float32', rank: 'number' };
  throw new DTypeError(op, 'operands are tensors or numbers', show(x), 'make a tensor with tensor(…)');
}
function asNode(x: TensorLike, dtype: DType, device: string): Node {
  if (isTensor(x)) return cast(x.node(), dtype);
  return x instanceof Scalar ? x.node(dtype, device) : numberNode(x, dtype, device);
}

/** The common dtype of several operands. */
export const commonDType = (op: string, xs: readonly TensorLike[]): DType =>
  resultType(xs.map(x => operandOf(x, op)));

/** Nodes of one dtype; with `float` an integer result becomes float32. */
export function promoted(op: string, xs: readonly TensorLike[], float = false): Node[] {
  let dtype: DType;
  const [a, b] = xs;
  if (xs.length === 2 && isTensor(a) && isTensor(b) && a.dtype === b.dtype) dtype = a.dtype;
  else dtype = commonDType(op, xs);
  if (float && !isFloat(dtype)) dtype = 'float32';
  const device = deviceOf(xs);
  return xs.map(x => asNode(x, dtype, device));
}
const deviceOf = (xs: readonly TensorLike[]): string => xs.find(isTensor)?.device ?? 'cpu';

export function binaryOp(op: BinaryOp, a: TensorLike, b: TensorLike, float = false): Tensor {
  const [x, y] = promoted(op.def.name, [a, b], float);
  return wrap(op(x!, y!));
}
/** The node of a number or tensor in the dtype of `like`; a float number does not fit an integer tensor. */
export function operandLike(op: string, like: Tensor, x: TensorLike): Node {
  if (!isTensor(x) && !isFloat(like.dtype) && typeof x === 'number' && !Number.isInteger(x)) {
    throw new DTypeError(
      op,
      `the number must fit the dtype ${like.dtype} of the tensor`,
      String(x),
      "convert the tensor with .to('float32')",
    );
  }
  return asNode(x, like.dtype, like.device);
}
/** A floating node: integers and bools become float32. */
export const floatNode = (x: Tensor): Node => (isFloat(x.dtype) ? x.node() : cast(x.node(), 'float32'));
