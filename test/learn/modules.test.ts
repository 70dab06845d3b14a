// The notes' snippets about nn.Module, line by line in TypeScript: networks of one's own, containers, state, modes.

import { describe, expect, it } from 'vitest';
import { Adam, F, nn, randn, type Tensor, zeros } from '../../src/index.ts';

/** What print writes. */
function printed(body: (print: (...what: unknown[]) => void) => void): string[] {
  const lines: string[] = [];
  body((...what) => lines.push(what.map(String).join(' ')));
  return lines;
}
const allclose = (a: Tensor, b: Tensor): boolean => Boolean(a.isclose(b).all().itemSync());
const count = (m: nn.Module): number => m.parameters().reduce((n, p) => n + p.numel, 0);

class MySimpleNet extends nn.Module {
  // Layers are fields; a field with a layer is registered.
  readonly conv_layer = new nn.Conv2d(3, 16, 3, { padding: 1 });
  readonly relu = new nn.ReLU();
  readonly fc_layer = new nn.Linear(16 * 32 * 32, 10);

  // forward says how data flow through them.
  forward(x: Tensor): Tensor {
    x = this.conv_layer(x); // (N, 16, 32, 32)
    x = this.relu(x);
    x = x.flatten(1); // (N, 16·32·32)
    x = this.fc_layer(x); // (N, 10)
    return x;
  }
}

class MyComplexNet extends nn.Module {
  readonly feature_extractor = new nn.Sequential(new nn.Conv2d(3, 64, 3), new nn.ReLU(), new nn.MaxPool2d(2));
  readonly classifier = new nn.Linear(64 * 16 * 16, 10);

  forward(x: Tensor): Tensor {
    const features = this.feature_extractor(x).flatten(1);
    return this.classifier(features);
  }
}

class Flatten extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.flatten(1);
  }
}

class MyLinear extends nn.Module {
  readonly weight: nn.Parameter;
  readonly bias: nn.Parameter;
  constructor(inFeatures: number, outFeatures: number) {
    super();
    this.weight = new nn.Parameter(randn([outFeatures, inFeatures]));
    this.bias = new nn.Parameter(zeros([outFeatures]));
  }
  forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }
}

describe('a network of one’s own', () => {
  it('prints its layers and has 164 298 parameters', () => {
    const model = new MySimpleNet();
    expect(printed(print => print(model))).toEqual([
      [
        'MySimpleNet(',
        '  (conv_layer): Conv2d(3, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))',
        '  (relu): ReLU()',
        '  (fc_layer): Linear(in_features=16384, out_features=10, bias=True)',
        ')',
      ].join('\n'),
    ]);
    expect(count(model)).toBe(164_298);
    expect(model(randn([2, 3, 32, 32])).shape).toEqual([2, 10]);
  });
  it('Sequential is the whole model', () => {
    const model_seq = new nn.Sequential(
      new nn.Conv2d(1, 20, 5),
      new nn.ReLU(),
      new nn.Conv2d(20, 64, 5),
      new nn.ReLU(),
    );
    expect(printed(print => print(model_seq))).toEqual([
      [
        'Sequential(',
        '  (0): Conv2d(1, 20, kernel_size=(5, 5), stride=(1, 1))',
        '  (1): ReLU()',
        '  (2): Conv2d(20, 64, kernel_size=(5, 5), stride=(1, 1))',
        '  (3): ReLU()',
        ')',
      ].join('\n'),
    ]);
    expect(count(model_seq)).toBe(20 * 25 + 20 + 64 * 20 * 25 + 64);
    expect(model_seq(randn([1, 1, 12, 12])).shape).toEqual([1, 64, 4, 4]);
  });
  it('Sequential is a part of another: its children by name', () => {
    const model = new MyComplexNet();
    const lines = printed(print => {
      for (const [name, module] of model.namedChildren())
        print(`name: ${name}, type: ${module.constructor.name}`);
    });
    expect(lines).toEqual(['name: feature_extractor, type: Sequential', 'name: classifier, type: Linear']);
    expect(model.namedModules().map(([name]) => name)).toEqual([
      '',
      'feature_extractor',
      'feature_extractor.0',
      'feature_extractor.1',
      'feature_extractor.2',
      'classifier',
    ]);
    expect(model.children()).toHaveLength(2);
    expect(model.modules()).toHaveLength(6);
    // 34 × 34 is what a convolution without padding and a pool bring to 16 × 16.
    expect(model(randn([1, 3, 34, 34])).shape).toEqual([1, 10]);
  });
  it('the notes’ MyComplexNet takes no 32 × 32 image: the error names the layer', () => {
    expect(() => new MyComplexNet()(randn([1, 3, 32, 32]))).toThrow(
      'got (1, 14400). check the sizes of the layer, or flatten x first (in classifier: Linear(in_features=16384, ',
    );
  });
  it('an optimizer finds all parameters', () => {
    const model = new MySimpleNet();
    const optimizer = new Adam(model.parameters(), { lr: 0.001 });
    expect(optimizer.paramGroups[0]!.params.map(p => p.shape)).toEqual(model.parameters().map(p => p.shape));
    const before = model.parameters().map(p => p.detach().clone().realize());
    model(randn([2, 3, 32, 32]))
      .square()
      .mean()
      .backward();
    optimizer.step();
    // Adam's first step has the size of the learning rate, whatever the gradient.
    model.parameters().forEach((p, i) => {
      expect(before[i]!.sub(p).abs().max().itemSync()).toBeCloseTo(0.001, 5);
    });
  });
  it('layers of one’s own: flatten, and linear with two parameters', () => {
    expect(new Flatten()(zeros([2, 3, 4])).shape).toEqual([2, 12]);
    const my_linear_layer = new MyLinear(128, 10);
    const lines = printed(print => {
      for (const [name, param] of my_linear_layer.namedParameters())
        print(`Parameter Name: ${name}, Shape: ${param.shape}`);
    });
    expect(lines).toEqual(['Parameter Name: weight, Shape: 10,128', 'Parameter Name: bias, Shape: 10']);
    expect(my_linear_layer(randn([5, 128])).shape).toEqual([5, 10]);
    expect(my_linear_layer.parameters().every(p => p.requiresGrad)).toBe(true);
  });
});

describe('state and modes', () => {
  it('a state dict goes into a new model, which is then set to eval', () => {
    const model = new MySimpleNet();
    const saved = model.stateDict();
    const again = new MySimpleNet();
    again.loadStateDict(saved);
    again.eval();
    const x = randn([1, 3, 32, 32]);
    expect(again(x).dataSync()).toEqual(model(x).dataSync());
  });
  it('batch norm: running statistics follow in training and stay in eval, whose outputs differ', () => {
    const bn_layer = new nn.BatchNorm2d(3);
    const input_tensor = randn([2, 3, 4, 4]);
    const mean = (): number[] => [...(bn_layer.running_mean!.dataSync() as Float32Array)];

    bn_layer.train();
    expect(mean()).toEqual([0, 0, 0]);
    const output_train = bn_layer(input_tensor);
    const updated = mean();
    // (1 − momentum) · 0 + momentum · mean of the batch
    const batch = [...(input_tensor.mean([0, 2, 3]).dataSync() as Float32Array)];
    updated.forEach((m, i) => {
      expect(m).toBeCloseTo(0.1 * batch[i]!, 6);
    });

    bn_layer.eval();
    const output_eval = bn_layer(input_tensor);
    expect(mean()).toEqual(updated);
    expect(allclose(output_train, output_eval)).toBe(false);
  });
});
