// Checkpoints of llama2.c (its first format): seven sizes, then all weights as float32, one kind after the other.
// In: the bytes of a .bin. Out: sizes, and tensors under the keys of Meta's checkpoints.

import { FileError } from '../base/errors.ts';
import { tensorOf } from '../io/bytes.ts';
import type { StateDict } from '../nn/index.ts';
import type { LlamaOptions } from './models/llama.ts';

export interface LlamaFile {
  readonly vocabSize: number;
  readonly options: LlamaOptions;
  readonly tensors: StateDict;
}
const HEADER = 28;

/**
 * Reads a .bin of llama2.c: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size (negative where the last layer has
 * weights of its own) and seq_len as int32, then the weights. Errors: FileError where sizes and bytes do not agree.
 */
export function parseLlamaFile(bytes: Uint8Array, file = 'model.bin'): LlamaFile {
  const bad = (rule: string, got: string): FileError =>
    new FileError(
      'parseLlamaFile',
      `${file}: ${rule}`,
      got,
      'the file is damaged or of another format than the first one of llama2.c',
    );
  if (bytes.length < HEADER) throw bad('a checkpoint begins with seven sizes', `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = Array.from({ length: 7 }, (_, i) => view.getInt32(4 * i, true)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [C, F, L, H, K, signed, S] = sizes;
  const V = Math.abs(signed);
  const D = C / H;
  if (
    [C, F, L, H, K, V, S].some(n => n < 1 || n > 1e6) ||
    !Number.isInteger(D / 2) ||
    !Number.isInteger(H / K)
  )
    throw bad('sizes must be positive, and heads divide the width', sizes.join(', '));
  // Two tables of angles, which the model computes itself, stand before the last layer.
  const skipped = S * D;
  const counts = L * (2 * C + 2 * C * C + 2 * C * K * D + 3 * C * F) + V * C + C + skipped;
  const wanted = HEADER + 4 * (counts + (signed < 0 ? V * C : 0));
  if (bytes.length !== wanted) throw bad(`sizes ${sizes.join(', ')} need ${wanted} bytes`, `${bytes.length}`);

  const tensors: StateDict = {};
  let at = HEADER;
  const take = (key: string, ...shape: number[]): void => {
    const size = 4 * shape.reduce((a, b) => a * b, 1);
    tensors[key] = tensorOf(bytes.subarray(at, at + size), shape, 'float32');
    at += size;
  };
  const each = (name: string, ...shape: number[]): void => {
    for (let i = 0; i < L; i++) take(`layers.${i}.${name}.weight`, ...shape);
  };
  take('tok_embeddings.weight', V, C);
  each('attention_norm', C);
  each('attention.wq', C, C);
  each('attention.wk', K * D, C);
  each('attention.wv', K * D, C);
  each('attention.wo', C, C);
  each('ffn_norm', C);
  each('feed_forward.w1', F, C);
  each('feed_forward.w2', C, F);
  each('feed_forward.w3', F, C);
  take('norm.weight', C);
  at += 4 * skipped;
  if (signed < 0) take('output.weight', V, C);
  else tensors['output.weight'] = tensors['tok_embeddings.weight']!;
  const options = {
    contextLength: S,
    dModel: C,
    layers: L,
    heads: H,
    kvHeads: K,
    hidden: F,
    tied: signed > 0,
  };
  return { vocabSize: V, options, tensors };
}
