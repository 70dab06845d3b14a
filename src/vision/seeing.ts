// What a network sees: feature maps, saliency, Grad-CAM, receptive fields.
// In: a model and a picture. Out: plain tensors and numbers. Not its job: drawing (viz).

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { AvgPool2d, Conv2d, type Layer, MaxPool2d, type Module, observeCalls } from '../nn/index.ts';
import { grad } from '../tensor/autograd.ts';
import { noGrad } from '../tensor/modes.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Runs the model in eval mode and gives what `see` kept of each call. */
function watch(model: Layer, x: Tensor, see: (module: Module, output: Tensor) => void): Tensor {
  const modes = model.modules().map((m): [Module, boolean] => [m, m.training]);
  model.eval();
  try {
    return observeCalls(
      (m, _, output) => {
        if (isTensor(output)) see(m, output);
      },
      () => model(x),
    );
  } finally {
    for (const [m, mode] of modes) m.training = mode;
  }
}

/**
 * What the modules at the given paths put out for x, in eval mode and without gradients; of a module that is called more
 * than once the last. Shapes: x (N, C, H, W). Errors: a path that is not there, or was not called.
 */
export function featureMaps(model: Layer, x: Tensor, paths: readonly string[]): Record<string, Tensor> {
  const wanted = new Map(paths.map(p => [model.getSubmodule(p), p]));
  const found: Record<string, Tensor> = {};
  noGrad(() =>
    watch(model, x, (m, y) => {
      const path = wanted.get(m);
      if (path !== undefined) found[path] = y;
    }),
  );
  const missing = paths.find(p => found[p] === undefined);
  if (missing !== undefined)
    throw new ValueError(
      'featureMaps',
      'the modules must be called with a tensor as output',
      show(missing),
      '',
    );
  return found;
}

/** The logits of one class each, summed over the batch; by default of the class that the model answers. */
function scoreOf(op: string, logits: Tensor, classes: readonly number[] | null): Tensor {
  if (logits.ndim !== 2)
    throw new ShapeError(op, 'the model must give (N, classes)', showShape(logits.shape), '');
  const rows = Array.from({ length: logits.shape[0]! }, (_, i) => logits.select(0, i));
  if (classes === null) return logits.amax(1).sum();
  if (classes.length !== rows.length)
    throw new ValueError(op, `one class for each of the ${rows.length} pictures`, show([...classes]), '');
  return rows.map((r, i) => r.select(0, classes[i]!)).reduce((a, b) => a.add(b));
}

/**
 * How much each pixel moves the score of a class: max over channels of |∂ score / ∂ x|. x (N, C, H, W) → (N, H, W).
 * `classes`: one per picture; default the model's answers. Simonyan, Vedaldi, Zisserman 2013, section 3:
 * https://arxiv.org/abs/1312.6034
 */
export function saliency(
  model: Layer,
  x: Tensor,
  options: { readonly classes?: readonly number[] } = {},
): Tensor {
  const input = x.detach().clone().requiresGrad_();
  const logits = watch(model, input, () => {});
  return grad(scoreOf('saliency', logits, options.classes ?? null), input)[0]!
    .abs()
    .amax(1); // (N, H, W)
}

/**
 * Grad-CAM: relu of the layer's maps, weighted by the mean gradient of the score over each map. Gives (N, h, w), as large
 * as the maps. Selvaraju et al. 2017, equations 1 and 2: https://arxiv.org/abs/1610.02391
 */
export function gradCam(
  model: Layer,
  x: Tensor,
  path: string,
  options: { readonly classes?: readonly number[] } = {},
): Tensor {
  const target = model.getSubmodule(path);
  let maps: Tensor | null = null;
  const logits = watch(model, x.detach().clone().requiresGrad_(), (m, y) => {
    if (m === target) maps = y;
  });
  const seen = maps as Tensor | null;
  if (seen === null || seen.ndim !== 4)
    throw new ValueError('gradCam', 'the layer must give maps (N, C, h, w)', show(path), '');
  const slope = grad(scoreOf('gradCam', logits, options.classes ?? null), seen)[0]!; // (N, C, h, w)
  return slope.mean([2, 3], { keepdim: true }).mul(seen.detach()).sum(1).relu(); // (N, h, w)
}

/** The side of the square of pixels that a place of the output can see, its stride, by the layers' windows. */
export interface ReceptiveField {
  readonly size: number;
  readonly stride: number;
}
/**
 * Of layers one after the other: each window k with dilation d at stride s adds (k − 1) d times the stride so far.
 * Araujo, Norris, Sim 2019: https://distill.pub/2019/computing-receptive-fields
 */
export function receptiveField(
  layers: readonly { readonly kernelSize: number; readonly stride?: number; readonly dilation?: number }[],
): ReceptiveField {
  let size = 1;
  let jump = 1;
  for (const { kernelSize, stride = 1, dilation = 1 } of layers) {
    size += (kernelSize - 1) * dilation * jump;
    jump *= stride;
  }
  return { size, stride: jump };
}
/** A layer with a window, as a model calls it. */
export interface WindowLayer {
  readonly name: string;
  readonly kind: string;
  readonly kernelSize: number;
  readonly stride: number;
  readonly dilation: number;
}
type Side = number | readonly number[];
interface Strides {
  readonly stride?: Side | null;
  readonly dilation?: Side;
}
/**
 * The convolutions and poolings that the model calls with x, in order: what `receptiveField` takes of a model without
 * branches. Errors: windows that are not square.
 */
export function windowLayers(model: Layer, x: Tensor): WindowLayer[] {
  const names = new Map(model.namedModules().map(([name, m]) => [m, name]));
  const found: WindowLayer[] = [];
  const square = (m: Module, v: Side): number => {
    const list = typeof v === 'number' ? [v] : v;
    if (list.some(n => n !== list[0]))
      throw new ValueError(
        'windowLayers',
        'windows must be square',
        `${m}`,
        'measureReceptiveField measures',
      );
    return list[0]!;
  };
  noGrad(() =>
    watch(model, x, m => {
      const pools = m instanceof MaxPool2d || m instanceof AvgPool2d;
      if (!(pools || m instanceof Conv2d)) return;
      const { stride, dilation }: Strides = pools ? m.options : m;
      found.push({
        name: names.get(m)!,
        kind: m.constructor.name,
        kernelSize: square(m, m.kernelSize),
        stride: square(m, stride ?? m.kernelSize),
        dilation: square(m, dilation ?? 1),
      });
    }),
  );
  return found;
}
/**
 * The same, measured: rows and columns of x with a gradient from the middle place of the output, (N, C, H, W) in and out;
 * `path`: of the maps that the module there gives. Pooling of maxima and ReLU let some gradients pass only: several
 * random pictures in x see all.
 */
export async function measureReceptiveField(
  model: Layer,
  x: Tensor,
  path?: string,
): Promise<{ readonly height: number; readonly width: number }> {
  const input = x.detach().clone().requiresGrad_();
  const target = path === undefined ? null : model.getSubmodule(path);
  let inner: Tensor | null = null;
  const outer = watch(model, input, (m, y) => {
    if (m === target) inner = y;
  });
  const y = target === null ? outer : (inner as Tensor | null);
  if (y?.ndim !== 4)
    throw new ShapeError(
      'measureReceptiveField',
      `the ${path === undefined ? 'model' : `module '${path}'`} must give maps (N, C, h, w)`,
      y === null ? 'no call' : showShape(y.shape),
      '',
    );
  const [h, w] = [y.shape[2]! >> 1, y.shape[3]! >> 1];
  const slope = grad(y.select(2, h).select(2, w).sum(), input)[0]!.abs().sum([0, 1]); // (H, W)
  const extent = (sums: readonly number[]): number => {
    const first = sums.findIndex(v => v > 0);
    return first < 0 ? 0 : sums.findLastIndex(v => v > 0) - first + 1;
  };
  const rows = (await slope.sum(1).tolist()) as number[];
  const columns = (await slope.sum(0).tolist()) as number[];
  return { height: extent(rows), width: extent(columns) };
}
