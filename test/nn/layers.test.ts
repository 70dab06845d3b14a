// Every layer: its print, the shape of its output, and its gradients against central differences in float64.

import { describe, expect, test } from 'vitest';
import { F, gradcheck, manualSeed, nn, rand, randn, type Tensor, tensor } from '../../src/index.ts';

interface Case {
  readonly make: () => nn.Module;
  /** Shapes of inputs drawn from a normal distribution, whose gradients are checked, or constants. */
  readonly inputs: readonly (readonly number[] | (() => Tensor))[];
  readonly print: string;
  readonly output: readonly number[];
}
const double = { dtype: 'float64' } as const;
const labels = () => tensor([1n, 0n, 2n]);
const signs = () => tensor([1, -1, 1], double);
const targets = () => rand([3, 4], double);
const moving = (make: () => Tensor) => () => make().requiresGrad_();
const int = (...x: number[]) => tensor(x.map(BigInt));
const one = (make: () => nn.Module, print: string, shape = [3, 4], output = shape): Case => ({
  make,
  inputs: [shape],
  print,
  output,
});
const loss = (make: () => nn.Module, ...inputs: Case['inputs']): Case => ({
  make,
  inputs,
  print: `${make().constructor.name}()`,
  output: [],
});

/** The gradient of the CTC loss is that of logits, through logSoftmax, as in PyTorch. */
class CtcOfLogits extends nn.Module {
  readonly ctc = new nn.CTCLoss();
  forward(x: Tensor, targets: Tensor, steps: Tensor, counts: Tensor): Tensor {
    return this.ctc(x.logSoftmax(-1), targets, steps, counts);
  }
}

const CASES: readonly Case[] = [
  one(() => new nn.Linear(4, 2), 'Linear(in_features=4, out_features=2, bias=True)', [3, 4], [3, 2]),
  one(
    () => new nn.Linear(4, 2, { bias: false }),
    'Linear(in_features=4, out_features=2, bias=False)',
    [4],
    [2],
  ),
  {
    make: () => new nn.Bilinear(4, 3, 2),
    inputs: [
      [5, 4],
      [5, 3],
    ],
    print: 'Bilinear(in1_features=4, in2_features=3, out_features=2, bias=True)',
    output: [5, 2],
  },
  one(() => new nn.Identity(54, { unused: true }), 'Identity()'),
  one(() => new nn.Flatten(), 'Flatten(start_dim=1, end_dim=-1)', [2, 3, 2], [2, 6]),
  one(() => new nn.Unflatten(1, [2, 2]), 'Unflatten(dim=1, unflattened_size=(2, 2))', [3, 4], [3, 2, 2]),
  // activations
  one(() => new nn.ReLU(), 'ReLU()'),
  one(() => new nn.ReLU6(), 'ReLU6()'),
  one(() => new nn.LeakyReLU(), 'LeakyReLU(negative_slope=0.01)'),
  one(() => new nn.LeakyReLU(0.2, { inplace: true }), 'LeakyReLU(negative_slope=0.2, inplace=True)'),
  one(() => new nn.PReLU(4), 'PReLU(num_parameters=4)'),
  one(() => new nn.RReLU().eval(), 'RReLU(lower=0.125, upper=0.3333333333333333)'),
  one(() => new nn.ELU(), 'ELU(alpha=1.0)'),
  one(() => new nn.CELU(2), 'CELU(alpha=2.0)'),
  one(() => new nn.SELU(), 'SELU()'),
  one(() => new nn.GELU(), "GELU(approximate='none')"),
  one(() => new nn.GELU({ approximate: 'tanh' }), "GELU(approximate='tanh')"),
  one(() => new nn.GELU({ approximate: 'sigmoid' }), "GELU(approximate='sigmoid')"),
  one(() => new nn.SiLU(), 'SiLU()'),
  one(() => new nn.Mish(), 'Mish()'),
  one(() => new nn.Sigmoid(), 'Sigmoid()'),
  one(() => new nn.Tanh(), 'Tanh()'),
  one(() => new nn.LogSigmoid(), 'LogSigmoid()'),
  one(() => new nn.Softplus(), 'Softplus(beta=1.0, threshold=20.0)'),
  one(() => new nn.Softsign(), 'Softsign()'),
  one(() => new nn.Tanhshrink(), 'Tanhshrink()'),
  one(() => new nn.Hardshrink(), 'Hardshrink(0.5)'),
  one(() => new nn.Softshrink(0.3), 'Softshrink(0.3)'),
  one(() => new nn.Hardtanh(), 'Hardtanh(min_val=-1.0, max_val=1.0)'),
  one(() => new nn.Hardsigmoid(), 'Hardsigmoid()'),
  one(() => new nn.Hardswish(), 'Hardswish()'),
  one(() => new nn.Threshold(0.1, -2), 'Threshold(threshold=0.1, value=-2)'),
  one(() => new nn.GLU(), 'GLU(dim=-1)', [3, 4], [3, 2]),
  one(() => new nn.Softmax(-1), 'Softmax(dim=-1)'),
  one(() => new nn.Softmin(0), 'Softmin(dim=0)'),
  one(() => new nn.LogSoftmax(1), 'LogSoftmax(dim=1)'),
  one(() => new nn.Softmax2d(), 'Softmax2d()', [2, 3, 2, 2]),
  // normalisation
  one(
    () => new nn.BatchNorm1d(4),
    'BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)',
    [5, 4],
  ),
  one(
    () => new nn.BatchNorm2d(3, { momentum: null, affine: false }),
    'BatchNorm2d(3, eps=1e-05, momentum=None, affine=False, track_running_stats=True)',
    [2, 3, 2, 2],
  ),
  one(
    () => new nn.BatchNorm3d(2).eval(),
    'BatchNorm3d(2, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)',
    [2, 2, 2, 1, 2],
  ),
  one(
    () => new nn.InstanceNorm1d(3),
    'InstanceNorm1d(3, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)',
    [3, 5],
  ),
  one(
    () => new nn.InstanceNorm2d(3, { affine: true }),
    'InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=False)',
    [2, 3, 2, 3],
  ),
  one(
    () => new nn.InstanceNorm3d(2),
    'InstanceNorm3d(2, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)',
    [2, 2, 2, 1, 3],
  ),
  one(() => new nn.LayerNorm([2, 3]), 'LayerNorm((2, 3), eps=1e-05, elementwise_affine=True)', [4, 2, 3]),
  one(() => new nn.RMSNorm(4), 'RMSNorm((4,), eps=None, elementwise_affine=True)'),
  one(() => new nn.GroupNorm(2, 4), 'GroupNorm(2, 4, eps=1e-05, affine=True)', [2, 4, 3]),
  one(() => new nn.LocalResponseNorm(2), 'LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)', [2, 4, 3]),
  one(() => new nn.Dropout(0.3).eval(), 'Dropout(p=0.3, inplace=False)'),
  // convolutions and pools
  one(
    () => new nn.Conv1d(2, 4, 3, { padding: 'same', groups: 2 }),
    'Conv1d(2, 4, kernel_size=(3,), stride=(1,), padding=same, groups=2)',
    [2, 2, 5],
    [2, 4, 5],
  ),
  one(
    () => new nn.Conv2d(2, 3, [2, 3], { stride: [1, 2], padding: [0, 1], dilation: 2, bias: false }),
    'Conv2d(2, 3, kernel_size=(2, 3), stride=(1, 2), padding=(0, 1), dilation=(2, 2), bias=False)',
    [1, 2, 4, 6],
    [1, 3, 2, 2],
  ),
  one(
    () => new nn.Conv2d(1, 2, 3, { padding: 1, paddingMode: 'circular' }),
    'Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), padding_mode=circular)',
    [1, 1, 3, 3],
    [1, 2, 3, 3],
  ),
  one(
    () => new nn.Conv3d(1, 2, 2),
    'Conv3d(1, 2, kernel_size=(2, 2, 2), stride=(1, 1, 1))',
    [1, 1, 3, 2, 2],
    [1, 2, 2, 1, 1],
  ),
  one(
    () => new nn.ConvTranspose1d(2, 3, 3, { stride: 2, outputPadding: 1 }),
    'ConvTranspose1d(2, 3, kernel_size=(3,), stride=(2,), output_padding=(1,))',
    [2, 2, 3],
    [2, 3, 8],
  ),
  one(
    () => new nn.ConvTranspose2d(2, 4, 2, { stride: 2, groups: 2 }),
    'ConvTranspose2d(2, 4, kernel_size=(2, 2), stride=(2, 2), groups=2)',
    [1, 2, 2, 2],
    [1, 4, 4, 4],
  ),
  one(
    () => new nn.ConvTranspose3d(1, 1, [1, 2, 2]),
    'ConvTranspose3d(1, 1, kernel_size=(1, 2, 2), stride=(1, 1, 1))',
    [1, 1, 2, 2, 2],
    [1, 1, 2, 3, 3],
  ),
  one(
    () => new nn.MaxPool1d(2),
    'MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)',
    [1, 2, 6],
    [1, 2, 3],
  ),
  one(
    () => new nn.MaxPool2d(2, { stride: 1 }),
    'MaxPool2d(kernel_size=2, stride=1, padding=0, dilation=1, ceil_mode=False)',
    [1, 1, 3, 3],
    [1, 1, 2, 2],
  ),
  one(
    () => new nn.MaxPool3d([1, 2, 2]),
    'MaxPool3d(kernel_size=(1, 2, 2), stride=(1, 2, 2), padding=0, dilation=1, ceil_mode=False)',
    [1, 1, 2, 2, 2],
    [1, 1, 2, 1, 1],
  ),
  one(() => new nn.AvgPool1d(2), 'AvgPool1d(kernel_size=2, stride=2, padding=0)', [1, 2, 6], [1, 2, 3]),
  one(() => new nn.AvgPool2d(2), 'AvgPool2d(kernel_size=2, stride=2, padding=0)', [1, 1, 4, 4], [1, 1, 2, 2]),
  one(
    () => new nn.AvgPool3d(2),
    'AvgPool3d(kernel_size=2, stride=2, padding=0)',
    [1, 1, 2, 2, 4],
    [1, 1, 1, 1, 2],
  ),
  one(
    () => new nn.LPPool1d(2, 3),
    'LPPool1d(norm_type=2.0, kernel_size=3, stride=None, ceil_mode=False)',
    [1, 2, 6],
    [1, 2, 2],
  ),
  one(
    () => new nn.LPPool2d(2, 2),
    'LPPool2d(norm_type=2.0, kernel_size=2, stride=None, ceil_mode=False)',
    [1, 1, 4, 4],
    [1, 1, 2, 2],
  ),
  one(() => new nn.AdaptiveAvgPool1d(2), 'AdaptiveAvgPool1d(output_size=2)', [1, 2, 5], [1, 2, 2]),
  one(
    () => new nn.AdaptiveAvgPool2d([1, null]),
    'AdaptiveAvgPool2d(output_size=(1, None))',
    [1, 2, 3, 3],
    [1, 2, 1, 3],
  ),
  one(
    () => new nn.AdaptiveAvgPool3d(1),
    'AdaptiveAvgPool3d(output_size=1)',
    [1, 2, 2, 2, 2],
    [1, 2, 1, 1, 1],
  ),
  one(() => new nn.AdaptiveMaxPool1d(2), 'AdaptiveMaxPool1d(output_size=2)', [1, 2, 5], [1, 2, 2]),
  one(() => new nn.AdaptiveMaxPool2d(2), 'AdaptiveMaxPool2d(output_size=2)', [1, 1, 3, 4], [1, 1, 2, 2]),
  one(
    () => new nn.AdaptiveMaxPool3d(1),
    'AdaptiveMaxPool3d(output_size=1)',
    [1, 2, 2, 2, 2],
    [1, 2, 1, 1, 1],
  ),
  // padding
  one(() => new nn.ConstantPad1d([1, 0], 2), 'ConstantPad1d(padding=(1, 0), value=2)', [2, 3], [2, 4]),
  one(
    () => new nn.ConstantPad2d(1, 0.5),
    'ConstantPad2d(padding=(1, 1, 1, 1), value=0.5)',
    [1, 2, 2],
    [1, 4, 4],
  ),
  one(
    () => new nn.ConstantPad3d(1, 0),
    'ConstantPad3d(padding=(1, 1, 1, 1, 1, 1), value=0)',
    [1, 1, 2, 2],
    [1, 3, 4, 4],
  ),
  one(() => new nn.ZeroPad1d(1), 'ZeroPad1d((1, 1))', [2, 3], [2, 5]),
  one(() => new nn.ZeroPad2d([1, 2, 0, 1]), 'ZeroPad2d((1, 2, 0, 1))', [1, 2, 2], [1, 3, 5]),
  one(() => new nn.ZeroPad3d(1), 'ZeroPad3d((1, 1, 1, 1, 1, 1))', [1, 1, 1, 1], [1, 3, 3, 3]),
  one(() => new nn.ReflectionPad1d(2), 'ReflectionPad1d((2, 2))', [2, 4], [2, 8]),
  one(() => new nn.ReflectionPad2d(1), 'ReflectionPad2d((1, 1, 1, 1))', [1, 3, 3], [1, 5, 5]),
  one(() => new nn.ReflectionPad3d(1), 'ReflectionPad3d((1, 1, 1, 1, 1, 1))', [1, 2, 2, 2], [1, 4, 4, 4]),
  one(() => new nn.ReplicationPad1d(2), 'ReplicationPad1d((2, 2))', [2, 3], [2, 7]),
  one(() => new nn.ReplicationPad2d(1), 'ReplicationPad2d((1, 1, 1, 1))', [1, 2, 2], [1, 4, 4]),
  one(() => new nn.ReplicationPad3d(1), 'ReplicationPad3d((1, 1, 1, 1, 1, 1))', [1, 1, 2, 2], [1, 3, 4, 4]),
  one(() => new nn.CircularPad1d(1), 'CircularPad1d((1, 1))', [1, 2, 3], [1, 2, 5]),
  one(() => new nn.CircularPad2d(1), 'CircularPad2d((1, 1, 1, 1))', [1, 1, 2, 2], [1, 1, 4, 4]),
  one(() => new nn.CircularPad3d(1), 'CircularPad3d((1, 1, 1, 1, 1, 1))', [1, 1, 1, 2, 2], [1, 1, 3, 4, 4]),
  // other sizes
  one(
    () => new nn.Unfold(2),
    'Unfold(kernel_size=2, dilation=1, padding=0, stride=1)',
    [1, 2, 3, 3],
    [1, 8, 4],
  ),
  one(
    () => new nn.Fold(3, 2),
    'Fold(output_size=3, kernel_size=2, dilation=1, padding=0, stride=1)',
    [1, 8, 4],
    [1, 2, 3, 3],
  ),
  one(() => new nn.PixelShuffle(2), 'PixelShuffle(upscale_factor=2)', [1, 4, 2, 2], [1, 1, 4, 4]),
  one(() => new nn.PixelUnshuffle(2), 'PixelUnshuffle(downscale_factor=2)', [1, 1, 4, 4], [1, 4, 2, 2]),
  one(() => new nn.ChannelShuffle(2), 'ChannelShuffle(groups=2)', [1, 4, 2, 2]),
  one(
    () => new nn.Upsample({ scaleFactor: 2 }),
    "Upsample(scale_factor=2.0, mode='nearest')",
    [1, 1, 2, 2],
    [1, 1, 4, 4],
  ),
  one(
    () => new nn.UpsamplingNearest2d({ size: [3, 4] }),
    "UpsamplingNearest2d(size=(3, 4), mode='nearest')",
    [1, 1, 2, 2],
    [1, 1, 3, 4],
  ),
  one(
    () => new nn.UpsamplingBilinear2d({ scaleFactor: 2 }),
    "UpsamplingBilinear2d(scale_factor=2.0, mode='bilinear')",
    [1, 1, 2, 2],
    [1, 1, 4, 4],
  ),
  {
    make: () => new nn.MaxUnpool2d(2),
    inputs: [[1, 1, 1, 2], () => int(1, 6).reshape([1, 1, 1, 2])],
    print: 'MaxUnpool2d(kernel_size=2, stride=2, padding=0)',
    output: [1, 1, 2, 4],
  },
  {
    make: () => new nn.MaxUnpool1d(2),
    inputs: [[1, 1, 2], () => int(1, 2).reshape([1, 1, 2])],
    print: 'MaxUnpool1d(kernel_size=2, stride=2, padding=0)',
    output: [1, 1, 4],
  },
  {
    make: () => new nn.MaxUnpool3d(1),
    inputs: [[1, 1, 1, 1, 2], () => int(0, 1).reshape([1, 1, 1, 1, 2])],
    print: 'MaxUnpool3d(kernel_size=1, stride=1, padding=0)',
    output: [1, 1, 1, 1, 2],
  },
  // tables
  {
    make: () => new nn.Embedding(5, 3, { paddingIdx: -1 }),
    // The padding row, 4, has no gradient although it is read: it is left out here.
    inputs: [() => int(1, 3, 1)],
    print: 'Embedding(5, 3, padding_idx=4)',
    output: [3, 3],
  },
  {
    make: () => new nn.EmbeddingBag(5, 3, { mode: 'sum' }),
    inputs: [() => int(0, 1, 1, 4), () => int(0, 2)],
    print: "EmbeddingBag(5, 3, mode='sum')",
    output: [2, 3],
  },
  // losses and distances
  loss(() => new nn.L1Loss(), [3, 4], [3, 4]),
  loss(() => new nn.MSELoss({ reduction: 'sum' }), [3, 4], [3, 4]),
  loss(() => new nn.SmoothL1Loss({ beta: 0.5 }), [3, 4], [3, 4]),
  loss(() => new nn.HuberLoss({ delta: 0.5 }), [3, 4], [3, 4]),
  loss(() => new nn.CrossEntropyLoss({ weight: tensor([1, 2, 3, 4], double) }), [3, 4], labels),
  loss(() => new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }), [3, 4], labels),
  loss(() => new nn.NLLLoss(), [3, 4], labels),
  loss(() => new nn.BCELoss(), moving(targets), targets),
  loss(() => new nn.BCEWithLogitsLoss({ posWeight: tensor([1, 2, 3, 4], double) }), [3, 4], targets),
  loss(() => new nn.KLDivLoss({ reduction: 'batchmean' }), [3, 4], targets),
  loss(() => new nn.PoissonNLLLoss(), [3, 4], targets),
  loss(
    () => new nn.GaussianNLLLoss(),
    [3, 4],
    [3, 4],
    () => rand([3, 4], double).add(0.5),
  ),
  loss(() => new nn.HingeEmbeddingLoss(), [3], signs),
  loss(() => new nn.MarginRankingLoss({ margin: 0.5 }), [3], [3], signs),
  loss(() => new nn.CosineEmbeddingLoss(), [3, 4], [3, 4], signs),
  loss(() => new nn.SoftMarginLoss(), [3], signs),
  loss(() => new nn.MultiMarginLoss(), [3, 4], labels),
  loss(
    () => new nn.MultiLabelMarginLoss(),
    [2, 3],
    () => int(0, 2, -1, 1, -1, 0).reshape([2, 3]),
  ),
  loss(() => new nn.MultiLabelSoftMarginLoss(), [3, 4], targets),
  loss(() => new nn.TripletMarginLoss(), [3, 4], [3, 4], [3, 4]),
  loss(() => new nn.TripletMarginWithDistanceLoss(), [3, 4], [3, 4], [3, 4]),
  { ...loss(() => new nn.CosineSimilarity(), [3, 4], [3, 4]), output: [3] },
  { ...loss(() => new nn.PairwiseDistance(), [3, 4], [3, 4]), output: [3] },
  {
    make: () => new CtcOfLogits(),
    inputs: [[5, 2, 4], () => int(1, 2, 3, 1).reshape([2, 2]), () => int(5, 4), () => int(2, 1)],
    print: 'CtcOfLogits(\n  (ctc): CTCLoss()\n)',
    output: [],
  },
];

describe('every layer', () => {
  test.each(CASES.map(c => [c.print, c] as const))('%s', (_, c) => {
    manualSeed(7);
    const m = c.make().double() as nn.Module & ((...inputs: Tensor[]) => Tensor);
    expect(m.toString()).toBe(c.print);
    const inputs = c.inputs.map(x =>
      typeof x === 'function' ? x() : randn([...x], { ...double, requiresGrad: true }),
    );
    const out = m(...inputs.map(x => x.clone()));
    expect(out.shape).toEqual(c.output);
    expect(out.dtype).toBe('float64');
    const names = m.namedParameters().map(([name]) => name);
    const values = m.parameters().map(p => p.detach().clone());
    // Inputs and parameters together: the layer as a function of all of them.
    const f = (...all: Tensor[]): Tensor => {
      const given = all.slice(0, inputs.length).map(t => t.clone());
      const state = Object.fromEntries(names.map((name, i) => [name, all[inputs.length + i]!]));
      return nn.functionalCall(m, state, ...(given as never[])) as Tensor;
    };
    expect(gradcheck(f, [...inputs, ...values.map(t => t.requiresGrad_())])).toBe(true);
  });
  test('no class of the public list is left out', () => {
    const abstract = new Set(['Module']);
    // Its result is no tensor: below. In mamba, recurrent and attention.test.ts.
    const others = ['AdaptiveLogSoftmaxWithLoss', 'Mamba', 'Mamba2', 'PackedSequence', 'S4D'];
    const recurrent = ['RNN', 'GRU', 'LSTM', 'RNNCell', 'GRUCell', 'LSTMCell'];
    const attention = ['MultiheadAttention', 'Transformer', 'TransformerEncoder', 'TransformerEncoderLayer'];
    attention.push('TransformerDecoder', 'TransformerDecoderLayer');
    const containers = ['Sequential', 'ModuleList', 'ModuleDict', 'ParameterList', 'ParameterDict'];
    // Random in training: in dropout.test.ts.
    const random = ['Dropout1d', 'Dropout2d', 'Dropout3d', 'AlphaDropout', 'FeatureAlphaDropout'];
    const tested = new Set([
      ...CASES.flatMap(c =>
        c
          .make()
          .modules()
          .map(m => m.constructor.name),
      ),
      ...containers,
      ...others,
      ...recurrent,
      ...attention,
      ...random,
      ...abstract,
    ]);
    const layers = Object.entries(nn).filter(
      ([, v]) => typeof v === 'function' && v.prototype instanceof nn.Module,
    );
    expect(layers.map(([name]) => name).filter(name => !tested.has(name))).toEqual([]);
  });
});

test('adaptive softmax: probabilities add up to 1, and the loss is that of the targets', () => {
  const m = new nn.AdaptiveLogSoftmaxWithLoss(8, 10, [4, 7], { divValue: 2 }).double();
  expect(m.namedParameters().map(([name, p]) => [name, p.shape])).toEqual([
    ['head.weight', [6, 8]],
    ['tail.0.0.weight', [4, 8]],
    ['tail.0.1.weight', [3, 4]],
    ['tail.1.0.weight', [2, 8]],
    ['tail.1.1.weight', [3, 2]],
  ]);
  const x = randn([5, 8], { ...double, requiresGrad: true });
  const target = int(0, 3, 4, 6, 9);
  const all = m.logProb(x);
  for (const p of all.exp().sum(1).dataSync() as Float64Array) expect(p).toBeCloseTo(1, 12);
  const { output, loss } = m(x, target);
  expect(output.shape).toEqual([5]);
  expect(loss.itemSync()).toBeCloseTo(F.nllLoss(all, target).itemSync(), 12);
  expect([...(m.predict(x).dataSync() as BigInt64Array)]).toEqual([
    ...(all.argmax(1).dataSync() as BigInt64Array),
  ]);
  expect(gradcheck(x => m(x, target).loss, [x])).toBe(true);
  expect(m(x.select(0, 0), target.select(0, 0)).output.shape).toEqual([]);
  expect(() => new nn.AdaptiveLogSoftmaxWithLoss(8, 10, [7, 4])).toThrow(
    'rising integers between 1 and 9, got [7, 4]',
  );
});
