"""PyTorch on the CPU: takes one workload per line as JSON, answers with the samples in milliseconds.
usage: python3 pytorch.py THREADS (spoken to by bench/main.ts)"""
import json
import math
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

peak_kb = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
IMPORTED_KB = peak_kb()
torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)


def gemm(s):
    lead = [s["batch"]] if "batch" in s else []
    a = torch.randn(lead + ([s["k"], s["m"]] if s.get("ta") else [s["m"], s["k"]]))
    b = torch.randn(lead + ([s["n"], s["k"]] if s.get("tb") else [s["k"], s["n"]]))
    a = a.transpose(-1, -2) if s.get("ta") else a
    b = b.transpose(-1, -2) if s.get("tb") else b
    return lambda i: a @ b


def training_step(model, opt, batch):
    """Forward, cross-entropy, backward, update, the loss read; `batch` gives x and y as numpy arrays."""

    def step(i):
        x, y = map(torch.from_numpy, batch(i))
        opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y.flatten())
        loss.backward()
        opt.step()
        assert math.isfinite(loss.item())

    return step


def mlp(s):
    if s.get("compiled") is False:
        return None
    d, n = s["dims"], s["batch"]
    layers = []
    for i in range(len(d) - 1):
        layers += [nn.Linear(d[i], d[i + 1])] + ([nn.ReLU()] if i < len(d) - 2 else [])
    model = nn.Sequential(*layers)
    opt = torch.optim.Adam(model.parameters(), 1e-3) if s["optimizer"] == "adam" else torch.optim.SGD(model.parameters(), 0.1)
    data = [(torch.randn(n, d[0]).numpy(), torch.randint(0, d[-1], (n,)).numpy()) for _ in range(8)]
    return training_step(model, opt, lambda i: data[i % 8])


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-1, -2)) / (c // self.heads) ** 0.5
        later = torch.ones(t, t, dtype=torch.bool).triu(1)
        a = a.masked_fill(later, float("-inf")).softmax(-1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.n2(x))


class Gpt(nn.Module):
    def __init__(self, s):
        super().__init__()
        c = s["width"]
        self.tokens, self.places = nn.Embedding(s["vocabulary"], c), nn.Embedding(s["context"], c)
        self.blocks = nn.Sequential(*[GptBlock(c, s["heads"]) for _ in range(s["layers"])])
        self.norm, self.head = nn.LayerNorm(c), nn.Linear(c, s["vocabulary"], bias=False)

    def forward(self, x):
        h = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(h))).flatten(0, 1)


def gpt(s):
    model = Gpt(s)
    return token_steps(model, torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.99), weight_decay=0.1), s)


class Recurrent(nn.Module):
    def __init__(self, s):
        super().__init__()
        h, v = s["width"], s["vocabulary"]
        self.tokens = nn.Embedding(v, h // 2)
        self.layer = getattr(nn, s["cell"].upper())(h // 2, h, s["layers"], batch_first=True)
        self.head = nn.Linear(h, v)

    def forward(self, x):
        return self.head(self.layer(self.tokens(x))[0]).flatten(0, 1)


def recurrent(s):
    model = Recurrent(s)
    return token_steps(model, torch.optim.Adam(model.parameters(), 2e-3), s)


class MambaBlock(nn.Module):
    """A block with the scan step by step: PyTorch has no fused one for the CPU."""

    def __init__(self, c, n=16):
        super().__init__()
        e = 2 * c
        self.n, self.r = n, c // 16
        self.norm, self.inside, self.out = nn.LayerNorm(c), nn.Linear(c, 2 * e, bias=False), nn.Linear(e, c, bias=False)
        self.conv = nn.Conv1d(e, e, 4, groups=e, padding=3)
        self.select, self.dt = nn.Linear(e, self.r + 2 * n, bias=False), nn.Linear(self.r, e)
        self.a = nn.Parameter(torch.arange(1, n + 1).float().log().repeat(e, 1))
        self.d = nn.Parameter(torch.ones(e))

    def forward(self, x):
        u, z = self.inside(self.norm(x)).chunk(2, -1)
        u = F.silu(self.conv(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, b, c = self.select(u).split([self.r, self.n, self.n], -1)
        dt = F.softplus(self.dt(dt))
        decay = (dt[..., None] * -self.a.exp()).exp()
        new = (dt * u)[..., None] * b[:, :, None]
        h, y = torch.zeros_like(new[:, 0]), []
        for t in range(x.shape[1]):
            h = decay[:, t] * h + new[:, t]
            y.append((h * c[:, t, None]).sum(-1))
        return x + self.out((torch.stack(y, 1) + u * self.d) * F.silu(z))


def mamba(s):
    c, v = s["width"], s["vocabulary"]
    blocks = [MambaBlock(c) for _ in range(s["layers"])]
    model = nn.Sequential(nn.Embedding(v, c), *blocks, nn.LayerNorm(c), nn.Linear(c, v, bias=False), nn.Flatten(0, 1))
    return token_steps(model, torch.optim.AdamW(model.parameters(), 1e-3), s)


def token_steps(model, opt, s):
    shape = (s["batch"], s["context"])
    tokens = [torch.randint(0, s["vocabulary"], shape).numpy() for _ in range(8)]
    return training_step(model, opt, lambda i: (tokens[i % 8], tokens[(i + 1) % 8]))


class ResBlock(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(c, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        same = stride == 1 and c == o
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        h = F.relu(self.b1(self.c1(x)))
        return F.relu(self.b2(self.c2(h)) + self.shortcut(x))


def resnet(widths, blocks):
    c = widths[0]
    layers = [nn.Conv2d(3, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU()]
    for stage, o in enumerate(widths):
        for b in range(blocks):
            layers.append(ResBlock(c, o, 2 if stage > 0 and b == 0 else 1))
            c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 100))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def convnet(s):
    digits, n = not s["widths"], s["batch"]
    model = lenet() if digits else resnet(s["widths"], s["blocks"])
    shape = (n, 1, 28, 28) if digits else (n, 3, 32, 32)
    data = [(torch.randn(shape).numpy(), torch.randint(0, 10 if digits else 100, (n,)).numpy()) for _ in range(8)]
    if not s["train"]:
        model.eval()

        def forward(i):
            with torch.no_grad():
                return model(torch.from_numpy(data[i % 8][0]))

        return forward
    opt = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=0 if digits else 5e-4)
    return training_step(model, opt, lambda i: data[i % 8])


def loading(s):
    n = s["images"]
    data = torch.utils.data.TensorDataset(torch.randn(n, s["features"]), torch.randint(0, 10, (n,)))
    loader = torch.utils.data.DataLoader(data, batch_size=s["batch"], shuffle=True)

    def epoch(i):
        assert sum(len(x) for x, y in loader) == n

    return epoch


def optimizer_step(s):
    params = [torch.randn(shape) for shape in s["shapes"]]
    for p in params:
        p.grad = torch.randn_like(p)
    adam = s["optimizer"] == "adam"
    opt = torch.optim.Adam(params) if adam else torch.optim.SGD(params, lr=1e-3, momentum=0.9)
    return lambda i: opt.step()


def prepare(s):
    kind = s["kind"]
    if kind == "gemm":
        return gemm(s)
    if kind == "mlp":
        return mlp(s)
    if kind == "gpt":
        return gpt(s)
    if kind == "recurrent":
        return recurrent(s)
    if kind == "mamba":
        # Longer texts take it minutes.
        return mamba(s) if s["context"] <= 256 else None
    if kind == "convnet":
        return convnet(s)
    if kind == "softmax":
        x = torch.randn(s["rows"], s["cols"])
        return lambda i: x.softmax(-1)
    if kind == "layernorm":
        x, w, b = torch.randn(s["rows"], s["cols"]), torch.ones(s["cols"]), torch.zeros(s["cols"])
        return lambda i: F.layer_norm(x, (s["cols"],), w, b)
    if kind == "optimizer":
        return optimizer_step(s)
    if kind == "dataloader":
        return loading(s)
    if kind == "gelu-sum":
        x = torch.randn(s["size"])
        return lambda i: F.gelu(x * 2 + 1).sum().item()
    return None


def sample(step, budget):
    i, start = 0, time.perf_counter()
    while i < 2 or (time.perf_counter() - start) * 1e3 < min(150, budget):
        step(i)
        i += 1
    t = time.perf_counter()
    step(0), step(1)
    times = max(1, min(1000, round(1.0 / ((time.perf_counter() - t) * 1e3))))
    samples, end = [], time.perf_counter() + budget / 1e3
    while not samples or time.perf_counter() < end:
        t = time.perf_counter()
        for k in range(times):
            step(k)
        samples.append((time.perf_counter() - t) * 1e3 / times)
    return samples


def answer(o):
    print(json.dumps(o), flush=True)


answer({"name": "pytorch", "setting": f"{torch.__version__}, {torch.get_num_threads()} threads", "threads": torch.get_num_threads()})
kept = (None, None)
for line in sys.stdin:
    request = json.loads(line)
    key = json.dumps(request["spec"])
    try:
        if kept[0] != key:
            kept = (key, prepare(request["spec"]))
        samples = sample(kept[1], request["budget"]) if kept[1] else None
        answer({"samples": samples, "grownMB": (peak_kb() - IMPORTED_KB) / 1024} if samples else {})
    except Exception as e:  # the parent prints it
        answer({"error": f"{type(e).__name__}: {e}"})
