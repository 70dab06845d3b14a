// The convolutional networks that are measured, the same nets as in peers/pytorch.py. Letters: N batch, C channels, O width.

import { compile, F, noGrad, SGD, type Tensor, tensor } from '../src/index.ts';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Identity,
  type Layer,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '../src/nn/index.ts';
import { batches, type Step } from './serve.ts';
import { trainingStep } from './training-step.ts';
import type { ConvNet } from './workloads.ts';

class Block extends Module {
  c1: Conv2d;
  b1: BatchNorm2d;
  c2: Conv2d;
  b2: BatchNorm2d;
  shortcut: Sequential | Identity;
  constructor(C: number, O: number, stride: number) {
    super();
    this.c1 = new Conv2d(C, O, 3, { stride, padding: 1, bias: false });
    this.b1 = new BatchNorm2d(O);
    this.c2 = new Conv2d(O, O, 3, { padding: 1, bias: false });
    this.b2 = new BatchNorm2d(O);
    const same = stride === 1 && C === O;
    this.shortcut = same
      ? new Identity()
      : new Sequential(new Conv2d(C, O, 1, { stride, bias: false }), new BatchNorm2d(O));
  }
  forward(x: Tensor): Tensor {
    const h = F.relu(this.b1(this.c1(x))); // (N, O, H / stride, W / stride)
    return F.relu(this.b2(this.c2(h)).add(this.shortcut(x)));
  }
}
function resnet(widths: readonly number[], blocks: number, classes: number): Sequential {
  const first = widths[0]!;
  const layers: Layer[] = [];
  let C = first;
  widths.forEach((O, stage) => {
    for (let b = 0; b < blocks; b++) {
      layers.push(new Block(C, O, stage > 0 && b === 0 ? 2 : 1));
      C = O;
    }
  });
  const stem = [new Conv2d(3, first, 3, { padding: 1, bias: false }), new BatchNorm2d(first), new ReLU()];
  const head = [new AdaptiveAvgPool2d(1), new Flatten(), new Linear(C, classes)];
  return new Sequential(...stem, ...layers, ...head);
}
const lenet = (): Sequential =>
  new Sequential(
    new Conv2d(1, 6, 5, { padding: 2 }),
    new ReLU(),
    new MaxPool2d(2), // (N, 6, 14, 14)
    new Conv2d(6, 16, 5),
    new ReLU(),
    new MaxPool2d(2), // (N, 16, 5, 5)
    new Flatten(),
    new Linear(400, 120),
    new ReLU(),
    new Linear(120, 84),
    new ReLU(),
    new Linear(84, 10),
  );

/** A whole training step (fresh batch in, SGD with momentum, loss read), or a forward pass whose result is read. */
export function convNet({ widths, blocks, batch, train }: ConvNet): Step {
  const digits = widths.length === 0;
  const net = digits ? lenet() : resnet(widths, blocks, 100);
  const shape = digits ? [batch, 1, 28, 28] : [batch, 3, 32, 32];
  const data = batches(shape[1]! * shape[2]! * shape[3]!, digits ? 10 : 100, batch);
  if (!train) {
    net.eval();
    const forward = compile((x: Tensor) => noGrad(() => net(x)));
    return i => void forward(tensor(data[i % 8]!.x, { shape, copy: false })).dataSync();
  }
  const weightDecay = digits ? 0 : 5e-4;
  const optimizer = new SGD(net.parameters(), { lr: 0.01, momentum: 0.9, weightDecay });
  const step = trainingStep(net, optimizer);
  return i => step(data[i % 8]!.x, shape, data[i % 8]!.y);
}
