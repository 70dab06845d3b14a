// The tensor: all families of methods in one class.

import { setTensorClass } from './core.ts';
import { LinalgTensor } from './linalg.ts';

/** A lazy, differentiable array with PyTorch's methods: nothing is computed until somebody reads a value. */
export class Tensor extends LinalgTensor {}
setTensorClass(Tensor);
