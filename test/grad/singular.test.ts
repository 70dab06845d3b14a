// Gradients at ties, zeros, bounds and infinities, where a difference tells nothing: PyTorch's conventions.
// Expected values: torch 1.13, torch.autograd.grad(f(*inputs).sum(), inputs) in float64.

import { describe, expect, it } from 'vitest';
import { cdist, dist, grad, type Tensor, tensor } from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
const f64 = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'float64' });
const ints = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'int64' });
const at = ints([0, 0, 1]);

type Input = Parameters<typeof tensor>[0];
type Case = readonly [
  name: string,
  fn: (...xs: [Tensor, Tensor, Tensor]) => Tensor,
  inputs: readonly Input[],
  want: readonly (readonly number[])[],
];
const cases: readonly Case[] = [
  ['abs at 0', x => x.abs(), [[0, -0, 1]], [[0, 0, 1]]],
  ['relu at 0', x => x.relu(), [[0, -1, 2]], [[0, 0, 1]]],
  ['sqrt at 0', x => x.sqrt(), [[0, 4]], [[inf, 0.25]]],
  ['rsqrt at 0', x => x.rsqrt(), [[0, 4]], [[-inf, -0.0625]]],
  ['log at 0', x => x.log(), [[0, 1]], [[inf, 1]]],
  ['pow 0.5 at 0', x => x.pow(0.5), [[0, 4]], [[inf, 0.25]]],
  ['pow 0 at 0', x => x.pow(0), [[0, 4]], [[0, 0]]],
  ['pow 1 at 0', x => x.pow(1), [[0, 4]], [[1, 1]]],
  ['pow 2 at 0', x => x.pow(2), [[0, -4]], [[0, -8]]],
  ['pow 1.5 at 0', x => x.pow(1.5), [[0, 4]], [[0, 3]]],
  ['pow -1 at 0', x => x.pow(-1), [[0, -4]], [[-inf, -0.0625]]],
  [
    'pow by a tensor',
    (x, y) => x.pow(y),
    [
      [0, 0, 0, 2, 1, -2],
      [0, 1, 2, 0, 3, 2],
    ],
    [
      [0, 1, 0, 0, 3, -4],
      [0, 0, 0, Math.LN2, 0, nan],
    ],
  ],
  ['clamp on its bounds, NaN', x => x.clamp(-1, 1), [[-1, 1, -2, 2, 0, nan]], [[1, 1, 0, 0, 1, 0]]],
  ['clamp from below', x => x.clamp(0), [[0, -1, 1]], [[1, 0, 1]]],
  [
    'clamp by tensors, on a bound and with min = max',
    (x, a, b) => x.clamp(a, b),
    [
      [1, -1, 3, 0],
      [1, 0, 0, -1],
      [2, 2, 2, 0],
    ],
    [
      [1, 0, 0, 1],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ],
  ],
  [
    'maximum of equals',
    (x, y) => x.maximum(y),
    [
      [1, 2, 3],
      [1, 3, 2],
    ],
    [
      [0.5, 0, 1],
      [0.5, 1, 0],
    ],
  ],
  [
    'minimum of equals',
    (x, y) => x.minimum(y),
    [
      [1, 2, 3],
      [1, 3, 2],
    ],
    [
      [0.5, 1, 0],
      [0.5, 0, 1],
    ],
  ],
  [
    'fmax with NaN',
    (x, y) => x.fmax(y),
    [
      [nan, 3],
      [3, nan],
    ],
    [
      [0, 1],
      [1, 0],
    ],
  ],
  ['max of all shares', x => x.max(), [[3, 1, 3, 3]], [[1 / 3, 0, 1 / 3, 1 / 3]]],
  ['min of all shares', x => x.min(), [[3, 1, 1, 3]], [[0, 0.5, 0.5, 0]]],
  [
    'amax shares',
    x => x.amax(1),
    [
      [
        [3, 1, 3],
        [1, 2, 0],
      ],
    ],
    [[0.5, 0, 0.5, 0, 1, 0]],
  ],
  [
    'max over a dim takes the first',
    x => x.max(1).values,
    [
      [
        [3, 1, 3],
        [1, 2, 0],
      ],
    ],
    [[1, 0, 0, 0, 1, 0]],
  ],
  [
    'min over a dim takes the first',
    x => x.min(1).values,
    [
      [
        [3, 1, 1],
        [0, 2, 0],
      ],
    ],
    [[0, 1, 0, 1, 0, 0]],
  ],
  ['sort keeps equals in order', x => x.sort().values.mul(f64([1, 2, 3])), [[2, 1, 2]], [[2, 1, 3]]],
  ['topk of equals', x => x.topk(2).values.sum(), [[1, 3, 3, 2]], [[0, 1, 1, 0]]],
  ['cummax takes the last', x => x.cummax(0).values.mul(f64([1, 2, 3, 4])), [[2, 2, 1, 2]], [[1, 5, 0, 4]]],
  ['cummin takes the last', x => x.cummin(0).values.mul(f64([1, 2, 3, 4])), [[2, 2, 3, 2]], [[1, 5, 0, 4]]],
  ['median of all shares', x => x.median(), [[2, 1, 2, 5]], [[0.5, 0, 0.5, 0]]],
  ['norm at 0', x => x.norm(), [[0, 0]], [[0, 0]]],
  [
    'norm of rows, one of them 0',
    x => x.norm(2, 1),
    [
      [
        [0, 0],
        [3, 4],
      ],
    ],
    [[0, 0, 0.6, 0.8]],
  ],
  ['norm 1 at 0', x => x.norm(1), [[0, -2]], [[0, -1]]],
  ['norm 3 at 0', x => x.norm(3), [[0, 0]], [[0, 0]]],
  ['norm Infinity of equals', x => x.norm(inf), [[2, -2, 1]], [[0.5, -0.5, 0]]],
  ['norm Infinity at 0', x => x.norm(inf), [[0, 0]], [[0, 0]]],
  [
    'dist of equals',
    (x, y) => dist(x, y),
    [
      [1, 2],
      [1, 2],
    ],
    [
      [0, 0],
      [0, 0],
    ],
  ],
  [
    'cdist of equals',
    (x, y) => cdist(x, y),
    [
      [[1, 2]],
      [
        [1, 2],
        [4, 6],
      ],
    ],
    [
      [-0.6, -0.8],
      [0, 0, 0.6, 0.8],
    ],
  ],
  [
    'std of equals',
    x => x.std(1),
    [
      [
        [2, 2],
        [1, 3],
      ],
    ],
    [[0, 0, -Math.SQRT1_2, Math.SQRT1_2]],
  ],
  ['var of one', x => x.var(1, { correction: 0 }), [[[2], [1]]], [[0, 0]]],
  [
    'prod of zeros',
    x => x.prod(1),
    [
      [
        [0, 2, 3],
        [0, 0, 3],
      ],
    ],
    [[6, 0, 0, 0, 0, 0]],
  ],
  ['cumprod of zeros', x => x.cumprod(0), [[2, 0, 3, 0, 5]], [[1, 8, 0, 0, 0]]],
  [
    'softmax of -inf',
    x => x.softmax(0).mul(f64([1, 2, 3])),
    [[-inf, 1, 2]],
    [[0, -0.19661193324148196, 0.1966119332414816]],
  ],
  [
    'logSoftmax beside -inf',
    x => x.logSoftmax(0).narrow(0, 1, 2),
    [[-inf, 1, 2]],
    [[0, 0.4621171572600098, -0.4621171572600098]],
  ],
  ['logsumexp beside -inf', x => x.logsumexp(0), [[-inf, 1]], [[0, 1]]],
  [
    'logaddexp with infinities',
    (x, y) => x.logaddexp(y),
    [
      [inf, 1],
      [1, -inf],
    ],
    [
      [1, 1],
      [0, 0],
    ],
  ],
  [
    'hypot at 0',
    (x, y) => x.hypot(y),
    [
      [0, 3],
      [0, 4],
    ],
    [
      [nan, 0.6],
      [nan, 0.8],
    ],
  ],
  [
    'atan2 at 0',
    (x, y) => x.atan2(y),
    [
      [0, 1],
      [0, 1],
    ],
    [
      [nan, 0.5],
      [nan, -0.5],
    ],
  ],
  [
    'xlogy at 0',
    (x, y) => x.xlogy(y),
    [
      [0, 2],
      [2, 3],
    ],
    [
      [Math.LN2, Math.log(3)],
      [0, 2 / 3],
    ],
  ],
  ['sinc at 0', x => x.sinc(), [[0, 0.5]], [[0, -1.2732395447351625]]],
  [
    'copysign of 0',
    (x, y) => x.copysign(y),
    [
      [0, -2, 3],
      [1, -1, -1],
    ],
    [
      [0, 1, -1],
      [0, 0, 0],
    ],
  ],
  ['round, floor, frac', x => x.round().add(x.floor()).add(x.frac()), [[0.5, 1.5, 2]], [[1, 1, 1]]],
  [
    'fmod and remainder',
    (x, y) => x.fmod(y).add(x.remainder(y)),
    [
      [5, -5, 5],
      [3, 3, -3],
    ],
    [
      [2, 2, 2],
      [-2, 3, 3],
    ],
  ],
  [
    'floor division',
    (x, y) => x.div(y, { rounding: 'floor' }).add(x),
    [
      [5, -5],
      [3, 3],
    ],
    [
      [1, 1],
      [0, 0],
    ],
  ],
  ['nanToNum', x => x.nanToNum(), [[nan, inf, -inf, 1]], [[0, 0, 0, 1]]],
  ['nansum', x => x.nansum(), [[nan, 1, 2]], [[0, 1, 1]]],
  ['asin at 1', x => x.asin(), [[1, 0]], [[inf, 1]]],
  ['acosh at 1', x => x.acosh(), [[1, 2]], [[inf, 0.5773502691896258]]],
  ['atanh at 1', x => x.atanh(), [[1, 0]], [[inf, 1]]],
  ['erfinv at 1', x => x.erfinv(), [[1, 0]], [[inf, 0.8862269254527579]]],
  ['sigmoid and tanh far out', x => x.sigmoid().add(x.tanh()), [[100, -800]], [[0, 0]]],
  ['logit on its bounds', x => x.logit(1e-2), [[0, 0.5, 1, 0.01]], [[0, 4, 0, 101.010101010101]]],
  [
    'indexPut_ of equal positions, accumulate',
    (x, v) => x.clone().indexPut_([at], v, { accumulate: true }),
    [
      [1, 2],
      [1, 2, 3],
    ],
    [
      [1, 1],
      [1, 1, 1],
    ],
  ],
  [
    'scatterReduce amax of equals',
    (x, v) => x.scatterReduce(0, at, v, 'amax'),
    [
      [2, 2],
      [2, 2, 3],
    ],
    [
      [1 / 3, 0],
      [1 / 3, 1 / 3, 1],
    ],
  ],
  [
    'scatterReduce prod with 0',
    (x, v) => x.scatterReduce(0, at, v, 'prod'),
    [
      [2, 2],
      [0, 2, 3],
    ],
    [
      [0, 3],
      [4, 0, 2],
    ],
  ],
  [
    'scatterReduce mean',
    (x, v) => x.scatterReduce(0, at, v, 'mean'),
    [
      [2, 2],
      [0, 2, 3],
    ],
    [
      [1 / 3, 0.5],
      [1 / 3, 1 / 3, 0.5],
    ],
  ],
  [
    'lerp',
    (x, y, w) => x.lerp(y, w),
    [
      [1, 2],
      [3, 5],
      [0.5, 0],
    ],
    [
      [0.5, 1],
      [0.5, 0],
      [2, 3],
    ],
  ],
];

describe('gradients at special points are as in PyTorch', () => {
  for (const [name, fn, inputs, want] of cases) {
    it(name, () => {
      const xs = inputs.map(f64) as [Tensor, Tensor, Tensor];
      const all = xs.map((_, i) => i);
      const grads = grad((...ts: Tensor[]) => fn(...(ts as [Tensor, Tensor, Tensor])).sum(), {
        argnums: all,
      })(...xs);
      want.forEach((w, i) => {
        expect(firstWrong(numbers(grads[i]!), w, 1e-12, 1e-12)).toBeNull();
      });
    });
  }
  it('where torch gives NaN for a row of -inf, logsumexp and logcumsumexp give 0', () => {
    for (const f of [(x: Tensor) => x.logsumexp(1).sum(), (x: Tensor) => x.logcumsumexp(1).sum()]) {
      const g = numbers(grad(f)(f64([[-inf, -inf]])));
      expect(g).toEqual([0, 0]);
    }
  });
});
