// The models whose weights the golden files hold, as the cases' Python says them, by the name of the case.

import { cat, F, nn, type Tensor } from '../../src/index.ts';
import { models } from '../../src/vision/index.ts';

class LeNet extends nn.Module {
  conv1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
  conv2 = new nn.Conv2d(6, 16, 5);
  fc1 = new nn.Linear(400, 120);
  fc2 = new nn.Linear(120, 84);
  fc3 = new nn.Linear(84, 10);
  forward(x: Tensor): Tensor {
    const a = F.maxPool2d(this.conv1(x).tanh(), 2);
    const b = F.avgPool2d(this.conv2(a).relu(), 2);
    return this.fc3(this.fc2(this.fc1(b.flatten(1)).relu()).relu());
  }
}

class BasicBlock extends nn.Module {
  conv1: nn.Conv2d;
  bn1: nn.BatchNorm2d;
  conv2: nn.Conv2d;
  bn2: nn.BatchNorm2d;
  downsample: nn.Sequential | null;
  constructor(inward: number, outward: number, stride: number) {
    super();
    this.conv1 = new nn.Conv2d(inward, outward, 3, { stride, padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(outward);
    this.conv2 = new nn.Conv2d(outward, outward, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(outward);
    this.downsample =
      stride === 1 && inward === outward
        ? null
        : new nn.Sequential(
            new nn.Conv2d(inward, outward, 1, { stride, bias: false }),
            new nn.BatchNorm2d(outward),
          );
  }
  forward(x: Tensor): Tensor {
    const y = this.bn2(this.conv2(this.bn1(this.conv1(x)).relu()));
    return y.add(this.downsample === null ? x : (this.downsample(x) as Tensor)).relu();
  }
}
class NarrowResNet18 extends nn.Module {
  conv1 = new nn.Conv2d(3, 8, 7, { stride: 2, padding: 3, bias: false });
  bn1 = new nn.BatchNorm2d(8);
  layer1 = new nn.Sequential(new BasicBlock(8, 8, 1), new BasicBlock(8, 8, 1));
  layer2 = new nn.Sequential(new BasicBlock(8, 16, 2), new BasicBlock(16, 16, 1));
  layer3 = new nn.Sequential(new BasicBlock(16, 32, 2), new BasicBlock(32, 32, 1));
  layer4 = new nn.Sequential(new BasicBlock(32, 64, 2), new BasicBlock(64, 64, 1));
  fc = new nn.Linear(64, 10);
  forward(x: Tensor): Tensor {
    const stem = F.maxPool2d(this.bn1(this.conv1(x)).relu(), 3, { stride: 2, padding: 1 });
    const body = new nn.Sequential(this.layer1, this.layer2, this.layer3, this.layer4)(stem) as Tensor;
    return this.fc(F.adaptiveAvgPool2d(body, 1).flatten(1));
  }
}

function vggWithNorm(): nn.Module {
  const layers: nn.Layer[] = [];
  let channels = 3;
  for (const v of [8, 'M', 16, 'M', 32, 32, 'M'] as const) {
    if (v === 'M') layers.push(new nn.MaxPool2d(2));
    else {
      layers.push(new nn.Conv2d(channels, v, 3, { padding: 1 }), new nn.BatchNorm2d(v), new nn.ReLU());
      channels = v;
    }
  }
  return new nn.Sequential(
    new nn.Sequential(...layers),
    new nn.Flatten(),
    new nn.Sequential(new nn.Linear(32 * 16, 48), new nn.ReLU(), new nn.Dropout(0.5), new nn.Linear(48, 7)),
  );
}

class To4d extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.reshape(-1, 4, 4, 4);
  }
}
const decoder = (): nn.Module =>
  new nn.Sequential(
    new nn.Linear(8, 64),
    new To4d(),
    new nn.ConvTranspose2d(4, 8, 4, { stride: 2, padding: 1 }),
    new nn.InstanceNorm2d(8, { affine: true }),
    new nn.PReLU(8),
    new nn.Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: false }),
    new nn.Conv2d(8, 6, 3, { padding: 1, paddingMode: 'reflect' }),
    new nn.GroupNorm(3, 6),
    new nn.SiLU(),
    new nn.Upsample({ scaleFactor: 2, mode: 'nearest' }),
    new nn.Conv2d(6, 3, 3, { padding: 1 }),
    new nn.Tanh(),
  );

class UNet extends nn.Module {
  d1 = new nn.Conv2d(1, 6, 3, { padding: 1 });
  d2 = new nn.Conv2d(6, 12, 3, { padding: 1, stride: 2 });
  mid = new nn.Conv2d(12, 12, 3, { padding: 2, dilation: 2 });
  up = new nn.ConvTranspose2d(12, 6, 2, { stride: 2 });
  dw = new nn.Conv2d(12, 12, 3, { padding: 1, groups: 12 });
  out = new nn.Conv2d(12, 2, 1);
  forward(x: Tensor): Tensor {
    const a = F.elu(this.d1(x));
    const b = F.gelu(this.d2(a));
    const c = F.hardswish(this.mid(b)).add(b);
    const u = cat([F.leakyRelu(this.up(c), { negativeSlope: 0.1 }), a], 1);
    return this.out(F.softplus(this.dw(u))).softmax(1);
  }
}

class CharLSTM extends nn.Module {
  encoder = new nn.Embedding(65, 24);
  rnn = new nn.LSTM(24, 48, { numLayers: 2, batchFirst: true, dropout: 0.2 });
  decoder = new nn.Linear(48, 65);
  forward(x: Tensor): Tensor {
    return this.decoder(this.rnn(this.encoder(x))[0]);
  }
}
class Tagger extends nn.Module {
  emb = new nn.Embedding(50, 16, { paddingIdx: 0 });
  gru = new nn.GRU(16, 20, { bidirectional: true, batchFirst: true });
  out = new nn.Linear(40, 6);
  forward(x: Tensor): Tensor {
    return this.out(this.gru(this.emb(x))[0]).logSoftmax(-1);
  }
}

export const FILE_MODELS: Readonly<Record<string, () => nn.Module>> = {
  lenet: () => new LeNet(),
  resnet18_narrow: () => new NarrowResNet18(),
  vgg_bn: vggWithNorm,
  mobilenet_v2_025: () => models.mobilenetV2({ numClasses: 10, widthMult: 0.25 }),
  densenet_tiny: () =>
    new models.DenseNet({ growthRate: 6, blocks: [2, 3], initFeatures: 8, bnSize: 2, numClasses: 5 }),
  decoder,
  unet: () => new UNet(),
  char_lstm: () => new CharLSTM(),
  gru_tagger: () => new Tagger(),
};
