"""Makes models.json: what torchvision's models (and short PyTorch versions of those that it does not have) say.

usage: python3 test/vision/models_fixture.py [--keys MODEL]
Written with torch 1.13.1 and torchvision 0.14.1. Weights are a formula of their key (see `fill`, and weights.ts), so that
none are stored. A model is {parameters, keys, sha256 of the lines "key shape", and, for one of each family, the lines};
an output is {input shape, values}. --keys prints the lines of any model.
"""
import hashlib, json, os, sys, warnings
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F, torchvision.models as tv

warnings.filterwarnings("ignore")
torch.manual_seed(0)

def numbers(name, n):
    """n numbers in [0, 1): a hash of the name mixed with the position."""
    h = 2166136261
    for b in name.encode():
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    x = (np.arange(1, n + 1, dtype=np.uint64) * 2654435761 + h).astype(np.uint32)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return x.astype(np.float64) / 4294967296.0

def value(name, shape):
    u = numbers(name, int(np.prod(shape))).reshape(shape)
    if name.endswith("running_var"):
        v = 0.5 + u
    elif name.endswith("running_mean"):
        v = 0.4 * (u - 0.5)
    elif len(shape) >= 2:
        v = (2 * u - 1) * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        v = 0.8 + 0.4 * u
    else:
        v = 0.2 * (u - 0.5)
    return torch.from_numpy(np.asarray(v, dtype=np.float32))

def fill(model):
    state = model.state_dict()
    model.load_state_dict({k: t if k.endswith("num_batches_tracked") else value(k, tuple(t.shape)) for k, t in state.items()})
    return model.eval()

def image(shape):
    return torch.from_numpy((2 * numbers("image", int(np.prod(shape))) - 1).astype(np.float32).reshape(shape))

def lines(model):
    return [f"{k} {'x'.join(map(str, t.shape))}" for k, t in model.state_dict().items()]

FAMILIES = {"alexnet", "vgg11", "vgg11_bn", "googlenet", "resnet18", "resnet50", "mobilenet_v2", "vit"}

def describe(name, model):
    ls = lines(model)
    out = {"parameters": sum(p.numel() for p in model.parameters()), "keys": len(ls),
           "sha256": hashlib.sha256("\n".join(ls).encode()).hexdigest()}
    if name in FAMILIES:
        out["lines"] = ls
    return out

def output(forward, *shape):
    with torch.no_grad():
        y = forward(image(shape)).flatten()
    step = max(1, y.numel() // 32)
    return {"input": list(shape), "length": y.numel(), "step": step, "values": [float(f"{v:.6g}") for v in y[::step].tolist()]}

# --- what torchvision does not have -------------------------------------------------------------------------------------

class CifarBlock(nn.Module):
    def __init__(s, i, o, stride, option):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        s.conv2, s.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        s.option, s.more = option, o - i
        if option == "B" and (stride != 1 or i != o):
            s.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
    def forward(s, x):
        y = s.bn2(s.conv2(F.relu(s.bn1(s.conv1(x)))))
        if s.option == "none":
            return F.relu(y)
        if s.more:
            x = s.shortcut(x) if s.option == "B" else F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, s.more // 2, s.more // 2))
        return F.relu(y + x)

class CifarResNet(nn.Module):
    def __init__(s, n, option):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        stage = lambda i, o: nn.Sequential(CifarBlock(i, o, 1 if i == o else 2, option), *[CifarBlock(o, o, 1, option) for _ in range(n - 1)])
        s.layer1, s.layer2, s.layer3, s.linear = stage(16, 16), stage(16, 32), stage(32, 64), nn.Linear(64, 10)
    def forward(s, x):
        return s.linear(s.layer3(s.layer2(s.layer1(F.relu(s.bn1(s.conv1(x)))))).mean((2, 3)))

class PreActBlock(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.bn1, s.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        s.bn2, s.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        s.shortcut = nn.Conv2d(i, o, 1, stride, bias=False) if stride != 1 or i != o else None
    def forward(s, x):
        a = F.relu(s.bn1(x))
        return s.conv2(F.relu(s.bn2(s.conv1(a)))) + (x if s.shortcut is None else s.shortcut(a))

class PreActBottleneck(nn.Module):
    def __init__(s, i, w, stride):
        super().__init__()
        s.bn1, s.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, w, 1, bias=False)
        s.bn2, s.conv2 = nn.BatchNorm2d(w), nn.Conv2d(w, w, 3, stride, 1, bias=False)
        s.bn3, s.conv3 = nn.BatchNorm2d(w), nn.Conv2d(w, 4 * w, 1, bias=False)
        s.shortcut = nn.Conv2d(i, 4 * w, 1, stride, bias=False) if stride != 1 or i != 4 * w else None
    def forward(s, x):
        a = F.relu(s.bn1(x))
        y = s.conv3(F.relu(s.bn3(s.conv2(F.relu(s.bn2(s.conv1(a)))))))
        return y + (x if s.shortcut is None else s.shortcut(a))

class PreAct(nn.Module):
    def __init__(s, block, n, e):
        super().__init__()
        s.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        stages, c = [], 16
        for k, w in enumerate((16, 32, 64)):
            blocks = []
            for b in range(n):
                blocks.append(block(c, w, 2 if k and not b else 1)); c = w * e
            stages.append(nn.Sequential(*blocks))
        s.layers, s.bn, s.linear = nn.Sequential(*stages), nn.BatchNorm2d(c), nn.Linear(c, 10)
    def forward(s, x):
        return s.linear(F.relu(s.bn(s.layers(s.conv1(x)))).mean((2, 3)))

def small_alexnet():
    m, relu, pool = tv.alexnet(num_classes=10), nn.ReLU(), nn.MaxPool2d(2)
    conv = lambda i, o: nn.Conv2d(i, o, 3, padding=1)
    m.features = nn.Sequential(conv(3, 64), relu, pool, conv(64, 192), relu, pool, conv(192, 384), relu, conv(384, 256), relu, conv(256, 256), relu, pool)
    m.avgpool = nn.AdaptiveAvgPool2d(4)
    m.classifier[1], m.classifier[4], m.classifier[6] = nn.Linear(4096, 1024), nn.Linear(1024, 1024), nn.Linear(1024, 10)
    return m

def small_vgg():
    m = tv.vgg11_bn(num_classes=10)
    m.avgpool = nn.AdaptiveAvgPool2d(1)
    m.classifier = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 10))
    return m

def small_resnet():
    m = tv.resnet18(num_classes=100)
    m.conv1, m.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return m

def series():
    m = nn.Module()
    conv = lambda i, o, k: nn.Sequential(nn.Conv1d(i, o, k, padding="same"), nn.BatchNorm1d(o), nn.ReLU())
    m.features, m.classifier = nn.Sequential(conv(1, 128, 8), conv(128, 256, 5), conv(256, 128, 3)), nn.Linear(128, 2)
    return m

class UNet(nn.Module):
    def __init__(s, channels, classes, width, levels, transposed, padding):
        super().__init__()
        def twice(i, o):
            conv = lambda a: [nn.Conv2d(a, o, 3, padding=int(padding), bias=not padding), *([nn.BatchNorm2d(o)] if padding else []), nn.ReLU()]
            return nn.Sequential(*conv(i), *conv(o))
        grow = lambda c: nn.ConvTranspose2d(c, c // 2, 2, 2) if transposed else nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(c, c // 2, 1))
        w = [width << i for i in range(levels + 1)]
        s.down = nn.ModuleList([twice(channels, w[0]), *[twice(w[i - 1], w[i]) for i in range(1, levels + 1)]])
        s.up = nn.ModuleList([grow(c) for c in w[:0:-1]])
        s.merge = nn.ModuleList([twice(c, c // 2) for c in w[:0:-1]])
        s.head = nn.Conv2d(width, classes, 1)
    def forward(s, x):
        across = []
        for i, block in enumerate(s.down):
            x = block(F.max_pool2d(x, 2) if i else x); across.append(x)
        across.pop()
        for up, merge in zip(s.up, s.merge):
            x, a = up(x), across.pop()
            t, l = (a.shape[2] - x.shape[2]) // 2, (a.shape[3] - x.shape[3]) // 2
            x = merge(torch.cat([a[:, :, t:t + x.shape[2], l:l + x.shape[3]], x], 1))
        return s.head(x)

def vit(**kw):
    return tv.VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=10, **kw)

# ------------------------------------------------------------------------------------------------------------------------

MODELS = {
    **{n: lambda n=n: getattr(tv, n)() for n in ("alexnet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
       "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "mobilenet_v2", "densenet121", "vit_b_16")},
    "googlenet": lambda: tv.googlenet(init_weights=False, aux_logits=False),
    "googlenet_aux": lambda: tv.googlenet(init_weights=False, aux_logits=True),
    "mobilenet_v2_half": lambda: tv.mobilenet_v2(width_mult=0.5),
    "vit": vit,
    "resnet20_A": lambda: CifarResNet(3, "A"), "resnet20_B": lambda: CifarResNet(3, "B"), "plain20": lambda: CifarResNet(3, "none"),
    "preact20": lambda: PreAct(PreActBlock, 3, 1), "preact29": lambda: PreAct(PreActBottleneck, 3, 4),
    "series": series, "unet": lambda: UNet(3, 2, 16, 3, False, True), "unet_original": lambda: UNet(1, 2, 64, 4, True, False),
}

def outputs():
    whole = lambda make, *shape: (lambda m: output(m, *shape))(fill(make()))
    out = {
        "alexnet_small": whole(small_alexnet, 1, 3, 32, 32),
        "vgg11_bn_small": whole(small_vgg, 1, 3, 32, 32),
        "resnet18": whole(lambda: tv.resnet18(num_classes=10), 1, 3, 64, 64),
        "resnet18_small": whole(small_resnet, 1, 3, 16, 16),
        "resnet34": whole(lambda: tv.resnet34(num_classes=10), 1, 3, 33, 47),
        "resnet50": whole(lambda: tv.resnet50(num_classes=10), 1, 3, 64, 64),
        "resnext50": whole(lambda: tv.resnext50_32x4d(num_classes=10), 1, 3, 32, 32),
        "mobilenet_v2": whole(lambda: tv.mobilenet_v2(num_classes=10), 1, 3, 64, 64),
        "mobilenet_v2_half": whole(lambda: tv.mobilenet_v2(num_classes=10, width_mult=0.5), 1, 3, 33, 33),
        "densenet121": whole(lambda: tv.densenet121(num_classes=10), 1, 3, 64, 64),
        "vit": whole(vit, 1, 3, 32, 32),
        **{n: whole(MODELS[n], 1, 3, 32, 32) for n in ("resnet20_A", "resnet20_B", "plain20", "preact20", "preact29", "unet")},
        "unet_original": whole(lambda: UNet(1, 2, 64, 2, True, False), 1, 1, 44, 44),
    }
    out["alexnet"] = output(fill(tv.alexnet().features), 1, 3, 64, 64)
    for n in ("vgg11", "vgg16_bn", "vgg19"):
        out[n] = output(fill(getattr(tv, n)().features), 1, 3, 32, 32)
    g = fill(tv.googlenet(num_classes=10, init_weights=False, aux_logits=True))
    out["googlenet"] = output(g, 1, 3, 64, 64)
    out["googlenet_aux1"], out["googlenet_aux2"] = output(g.aux1, 1, 512, 5, 5), output(g.aux2, 1, 528, 4, 4)
    s = fill(series())
    out["series"] = output(lambda x: s.classifier(s.features(x).mean(-1)), 2, 1, 50)
    return out

if __name__ == "__main__":
    if sys.argv[1:2] == ["--keys"]:
        print("\n".join(lines(MODELS[sys.argv[2]]())))
    else:
        data = {"torchvision": "0.14.1", "models": {n: describe(n, make()) for n, make in MODELS.items()}, "outputs": outputs()}
        file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models.json")
        with open(file, "w") as f:
            f.write(json.dumps(data, indent=None, separators=(",", ":")).replace('"models":', '\n"models":').replace('"outputs":', '\n"outputs":').replace('},"', '},\n"') + "\n")
        print(os.path.getsize(file), "bytes")
