// einsum: sums of products named by letters.
// In: an equation and tensors. Out: the same in diagonals, sums, products and matrix products, two operands at a time.
// Not its job: a kernel of its own: what it makes fuses like any other graph.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { numel } from '../base/shape.ts';
import { isTensor } from './operand.ts';
import type { Tensor } from './tensor.ts';

/** A tensor whose dims have names. A dim of `...` is named by its distance from the end, so that they align right. */
interface Term {
  readonly x: Tensor;
  readonly labels: readonly string[];
}

/**
 * Σ over all letters that the result does not name, of the product of the operands: `einsum('bij,bjk->bik', a, b)`.
 * `...` stands for any further dims, which broadcast; a letter twice in one operand takes its diagonal; without `->` the
 * result has the letters that occur once, in alphabetical order. More than two operands are contracted pair by pair,
 * always the pair that makes the least new data.
 */
export function einsum(equation: string, ...operands: readonly (Tensor | readonly Tensor[])[]): Tensor {
  const tensors = operands.flat() as Tensor[];
  if (tensors.length === 0 || !tensors.every(isTensor))
    throw new ValueError('einsum', 'it takes an equation and tensors', show(operands), '');
  const { inputs, output } = parse(equation, tensors);
  const sizes = sizesOf(equation, tensors, inputs);
  for (const l of output) {
    if (!sizes.has(l) || output.indexOf(l) !== output.lastIndexOf(l)) fail(equation, `the output names ${l}`);
  }
  let terms = tensors.map((x, i) => prepared({ x, labels: inputs[i]! }, sizes));
  terms = terms.map((t, i) => summed(t, new Set([...output, ...labelsBeside(terms, [i])])));
  while (terms.length > 1) {
    const [i, j] = cheapestPair(terms, output, sizes);
    const keep = new Set([...output, ...labelsBeside(terms, [i, j])]);
    const both = contracted(terms[i]!, terms[j]!, keep);
    terms = [...terms.filter((_, k) => k !== i && k !== j), both];
  }
  const [last] = terms as [Term];
  return arranged(last, output, sizes);
}

function fail(equation: string, what: string): never {
  throw new ValueError(
    'einsum',
    'the equation must be letters, commas, ... and one ->, each output letter once and from an input',
    `'${equation}' (${what})`,
    '',
  );
}

function parse(equation: string, tensors: readonly Tensor[]): { inputs: string[][]; output: string[] } {
  const text = equation.replaceAll(' ', '');
  const [left, right, more] = text.split('->');
  if (more !== undefined) fail(equation, 'two arrows');
  const parts = left!.split(',');
  if (parts.length !== tensors.length) {
    throw new ValueError(
      'einsum',
      `'${equation}' names ${parts.length} operands`,
      `${tensors.length} tensors`,
      '',
    );
  }
  const inputs = parts.map((p, i) => {
    const x = tensors[i]!;
    const letters = lettersOf(equation, p);
    const extra = x.ndim - letters.filter(l => l !== '...').length;
    if (extra < 0 || (extra > 0 && !letters.includes('...'))) {
      throw new ShapeError(
        'einsum',
        `'${p}' of '${equation}' must name every dim of operand ${i}`,
        showShape(x.shape),
        "write '...' for the dims that need no letter",
      );
    }
    return spread(letters, extra);
  });
  const width = Math.max(0, ...inputs.map(ls => ls.filter(isDot).length));
  if (right !== undefined) return { inputs, output: spread(lettersOf(equation, right), width) };
  const all = inputs.flat().filter(l => !isDot(l));
  const once = all.filter(l => all.indexOf(l) === all.lastIndexOf(l)).sort();
  return { inputs, output: [...spread(['...'], width), ...once] };
}
function lettersOf(equation: string, part: string): string[] {
  const letters = part.match(/\.\.\.|[a-zA-Z]/g) ?? [];
  if (letters.join('') !== part) fail(equation, `'${part}'`);
  if (letters.filter(l => l === '...').length > 1) fail(equation, `'...' twice in '${part}'`);
  return letters;
}
const isDot = (label: string): boolean => label.startsWith('.');
/** Names for the dims of '...', counted from the last. */
const spread = (letters: readonly string[], count: number): string[] =>
  letters.flatMap(l => (l === '...' ? Array.from({ length: count }, (_, k) => `.${count - 1 - k}`) : [l]));

function sizesOf(
  equation: string,
  tensors: readonly Tensor[],
  inputs: readonly (readonly string[])[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  inputs.forEach((labels, i) => {
    labels.forEach((l, d) => {
      const n = tensors[i]!.shape[d]!;
      const had = sizes.get(l) ?? 1;
      if (had !== 1 && n !== 1 && n !== had) {
        throw new ShapeError(
          'einsum',
          `'${l}' of '${equation}' must have one size`,
          `${had} and ${n} (${tensors.map(t => showShape(t.shape)).join(' and ')})`,
          '',
        );
      }
      sizes.set(l, n === 1 ? had : n);
    });
  });
  return sizes;
}

/** Repeated labels become a diagonal; a dim of size 1 whose label is longer elsewhere goes, since it broadcasts. */
function prepared(t: Term, sizes: ReadonlyMap<string, number>): Term {
  let { x } = t;
  let labels = [...t.labels];
  const drop = labels.flatMap((l, d) => (x.shape[d] === 1 && sizes.get(l)! > 1 ? [d] : []));
  x = x.squeeze(drop);
  labels = labels.filter((_, d) => !drop.includes(d));
  for (let d = 0; d < labels.length; d++) {
    const l = labels[d]!;
    const again = labels.indexOf(l, d + 1);
    if (again < 0) continue;
    x = x.diagonal(0, d, again);
    labels = [...labels.filter((_, k) => k !== d && k !== again), l];
    d = -1;
  }
  return { x, labels };
}
const labelsBeside = (terms: readonly Term[], without: readonly number[]): string[] =>
  terms.flatMap((t, i) => (without.includes(i) ? [] : t.labels));

/** Labels that nobody else needs are summed at once. */
function summed(t: Term, keep: ReadonlySet<string>): Term {
  const dims = t.labels.flatMap((l, d) => (keep.has(l) ? [] : [d]));
  if (dims.length === 0) return t;
  return { x: t.x.sum(dims, { dtype: t.x.dtype }), labels: t.labels.filter(l => keep.has(l)) };
}

/** The pair whose product takes the least room, counting the room of its operands as gained. */
function cheapestPair(
  terms: readonly Term[],
  output: readonly string[],
  sizes: ReadonlyMap<string, number>,
): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < terms.length; i++) {
    for (let j = i + 1; j < terms.length; j++) {
      const keep = new Set([...output, ...labelsBeside(terms, [i, j])]);
      const labels = new Set([...terms[i]!.labels, ...terms[j]!.labels]);
      const result = numel([...labels].filter(l => keep.has(l)).map(l => sizes.get(l)!));
      const cost = result - terms[i]!.x.numel - terms[j]!.x.numel;
      if (cost < least) {
        least = cost;
        best = [i, j];
      }
    }
  }
  return best;
}

/** The product of two terms, summed over what only they have. */
function contracted(a: Term, b: Term, keep: ReadonlySet<string>): Term {
  const shared = a.labels.filter(l => b.labels.includes(l));
  const batch = shared.filter(l => keep.has(l));
  const inner = shared.filter(l => !keep.has(l));
  const onlyA = a.labels.filter(l => !shared.includes(l));
  const onlyB = b.labels.filter(l => !shared.includes(l));
  const labels = [...batch, ...onlyA, ...onlyB];
  if (inner.length === 0) return { x: aligned(a, labels).mul(aligned(b, labels)), labels };
  const size = (t: Term, ls: readonly string[]): number[] => ls.map(l => t.x.shape[t.labels.indexOf(l)]!);
  const lead = batch.length === 0 ? [] : [numel(size(a, batch))];
  const [M, N, K] = [numel(size(a, onlyA)), numel(size(b, onlyB)), numel(size(a, inner))];
  const left = ordered(a, [...batch, ...onlyA, ...inner]).reshape([...lead, M, K]);
  const right = ordered(b, [...batch, ...inner, ...onlyB]).reshape([...lead, K, N]);
  const shape = [...size(a, batch), ...size(a, onlyA), ...size(b, onlyB)];
  return { x: left.matmul(right).reshape(shape), labels };
}
const ordered = (t: Term, labels: readonly string[]): Tensor =>
  t.x.permute(labels.map(l => t.labels.indexOf(l)));
/** The term with a dim for every label, of size 1 where it has none. */
function aligned(t: Term, labels: readonly string[]): Tensor {
  const own = labels.filter(l => t.labels.includes(l));
  return ordered(t, own).reshape(labels.map(l => (own.includes(l) ? t.x.shape[t.labels.indexOf(l)]! : 1)));
}
/** The result in the order of the output. */
const arranged = (t: Term, output: readonly string[], sizes: ReadonlyMap<string, number>): Tensor =>
  aligned(t, output).expand(output.map(l => sizes.get(l)!));
