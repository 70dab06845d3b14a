// Connects the platform that the build chose (Node here; the browser build swaps the import) with the library.

import { macrotask } from './runtime/platform.node.ts';
// Entries that only make tensors find their class.
import './tensor/tensor.ts';
import { setMacrotask } from './tensor/yield.ts';

setMacrotask(macrotask);
