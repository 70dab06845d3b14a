// AlexNet: A. Krizhevsky, I. Sutskever, G. Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NIPS
// 2012; one column of it: A. Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014,
// https://arxiv.org/abs/1404.5997

import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Identity,
  init,
  type Layer,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface AlexNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Of the two dropouts. Default 0.5. */
  readonly dropout?: number;
}

/** Five convolutions, three linear layers. (N, 3, H, W) → (N, numClasses). */
export class AlexNet extends Module {
  readonly features: Sequential;
  readonly avgpool: Layer;
  readonly classifier: Sequential;

  constructor(features: Sequential, avgpool: Layer, classifier: Sequential) {
    super();
    this.features = features;
    this.avgpool = avgpool;
    this.classifier = classifier;
  }
  forward(x: Tensor): Tensor {
    x = this.features(x); // (N, 256, 6, 6)
    x = this.avgpool(x).flatten(1); // (N, 9216)
    return this.classifier(x); // (N, numClasses)
  }
}
function classifier(
  inputs: number,
  hidden: number,
  { numClasses = 1000, dropout = 0.5 }: AlexNetOptions,
): Sequential {
  return new Sequential(
    new Dropout(dropout),
    new Linear(inputs, hidden),
    new ReLU(),
    new Dropout(dropout),
    new Linear(hidden, hidden),
    new ReLU(),
    new Linear(hidden, numClasses),
  );
}

/** torchvision's AlexNet, the single column of 2014, for 224 × 224 images: 61.1 M parameters, torchvision's keys. */
export function alexnet(options: AlexNetOptions = {}): AlexNet {
  const features = new Sequential(
    new Conv2d(3, 64, 11, { stride: 4, padding: 2 }), // (N, 64, 55, 55)
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }), // (N, 64, 27, 27)
    new Conv2d(64, 192, 5, { padding: 2 }), // (N, 192, 27, 27)
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }), // (N, 192, 13, 13)
    new Conv2d(192, 384, 3, { padding: 1 }), // (N, 384, 13, 13)
    new ReLU(),
    new Conv2d(384, 256, 3, { padding: 1 }), // (N, 256, 13, 13)
    new ReLU(),
    new Conv2d(256, 256, 3, { padding: 1 }), // (N, 256, 13, 13)
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }), // (N, 256, 6, 6)
  );
  return new AlexNet(features, new AdaptiveAvgPool2d([6, 6]), classifier(256 * 6 * 6, 4096, options));
}

/**
 * The network of 2012 for 224 × 224 images: its two GPUs are two groups of the second, fourth and fifth convolution, and
 * responses are normalised over five neighbouring channels (section 3.3: k 2, α 1e-4, β 0.75; the sum there is five times
 * LocalResponseNorm's mean). 61.0 M parameters. The first convolution is padded by 2 to give the paper's 55 × 55.
 */
export function alexnetOriginal(options: AlexNetOptions = {}): AlexNet {
  const norm = (): LocalResponseNorm => new LocalResponseNorm(5, { alpha: 5e-4, beta: 0.75, k: 2 });
  const features = new Sequential(
    new Conv2d(3, 96, 11, { stride: 4, padding: 2 }), // (N, 96, 55, 55)
    new ReLU(),
    norm(),
    new MaxPool2d(3, { stride: 2 }), // (N, 96, 27, 27)
    new Conv2d(96, 256, 5, { padding: 2, groups: 2 }), // (N, 256, 27, 27)
    new ReLU(),
    norm(),
    new MaxPool2d(3, { stride: 2 }), // (N, 256, 13, 13)
    new Conv2d(256, 384, 3, { padding: 1 }), // (N, 384, 13, 13)
    new ReLU(),
    new Conv2d(384, 384, 3, { padding: 1, groups: 2 }), // (N, 384, 13, 13)
    new ReLU(),
    new Conv2d(384, 256, 3, { padding: 1, groups: 2 }), // (N, 256, 13, 13)
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }), // (N, 256, 6, 6)
  );
  const net = new AlexNet(features, new Identity(), classifier(256 * 6 * 6, 4096, options));
  initialiseAsIn2012(net);
  return net;
}
/** Section 5: weights N(0, 0.01²), biases 1 in the second, fourth and fifth convolution and in the hidden linear layers. */
function initialiseAsIn2012(net: AlexNet): void {
  const layers = net.modules().filter(m => m instanceof Conv2d || m instanceof Linear);
  layers.forEach((layer, i) => {
    init.normal_(layer.weight, 0, 0.01);
    init.constant_(layer.bias!, [1, 3, 4, 5, 6].includes(i) ? 1 : 0);
  });
}

/**
 * The same order of layers for images of 32 × 32, with windows that fit them (ours, no paper's): 3 × 3 convolutions at
 * stride 1, three poolings to 4 × 4, hidden layers of 1024.
 */
export function alexnetSmall(options: AlexNetOptions & { readonly inChannels?: number } = {}): AlexNet {
  const { numClasses = 10, inChannels = 3 } = options;
  const features = new Sequential(
    new Conv2d(inChannels, 64, 3, { padding: 1 }), // (N, 64, 32, 32)
    new ReLU(),
    new MaxPool2d(2), // (N, 64, 16, 16)
    new Conv2d(64, 192, 3, { padding: 1 }), // (N, 192, 16, 16)
    new ReLU(),
    new MaxPool2d(2), // (N, 192, 8, 8)
    new Conv2d(192, 384, 3, { padding: 1 }), // (N, 384, 8, 8)
    new ReLU(),
    new Conv2d(384, 256, 3, { padding: 1 }), // (N, 256, 8, 8)
    new ReLU(),
    new Conv2d(256, 256, 3, { padding: 1 }), // (N, 256, 8, 8)
    new ReLU(),
    new MaxPool2d(2), // (N, 256, 4, 4)
  );
  return new AlexNet(
    features,
    new AdaptiveAvgPool2d([4, 4]),
    classifier(256 * 4 * 4, 1024, { ...options, numClasses }),
  );
}
