"""Logits of GPT-2 and Mamba by PyTorch, written from the papers and the published names of the weights; weights are a
formula of their name (test/vision/weights.ts), so that none are stored. Prints published.json."""

import json
import math

import torch
import torch.nn.functional as F


def numbers(name, n):
    h = 2166136261
    for c in name:
        h = ((h ^ ord(c)) * 16777619) & 0xFFFFFFFF
    out = []
    for i in range(n):
        x = ((i + 1) * 2654435761 + h) & 0xFFFFFFFF
        x = ((x ^ (x >> 15)) * 2246822519) & 0xFFFFFFFF
        out.append((x ^ (x >> 13)) / 4294967296)
    return torch.tensor(out, dtype=torch.float64)


def weight(name, *shape):
    return (2 * numbers(name, math.prod(shape)).reshape(shape) - 1) * 0.6


def gpt2(ids, V=11, C=12, T=8, L=2, H=3):
    """Conv1D: y = x W + b with W (in, out). GELU in the form with tanh."""
    x = weight('wte.weight', V, C)[ids] + weight('wpe.weight', T, C)[: len(ids)]
    n = len(ids)
    conv = lambda x, name, i, o: x @ weight(f'{name}.weight', i, o) + weight(f'{name}.bias', o)
    norm = lambda x, name: F.layer_norm(x, (C,), weight(f'{name}.weight', C), weight(f'{name}.bias', C), 1e-5)
    for l in range(L):
        a = norm(x, f'h.{l}.ln_1')
        q, k, v = conv(a, f'h.{l}.attn.c_attn', C, 3 * C).split(C, dim=-1)
        heads = lambda t: t.reshape(n, H, C // H).transpose(0, 1)
        scores = heads(q) @ heads(k).transpose(1, 2) / math.sqrt(C // H)
        scores = scores.masked_fill(torch.ones(n, n).triu(1).bool(), -math.inf)
        y = (scores.softmax(-1) @ heads(v)).transpose(0, 1).reshape(n, C)
        x = x + conv(y, f'h.{l}.attn.c_proj', C, C)
        m = conv(norm(x, f'h.{l}.ln_2'), f'h.{l}.mlp.c_fc', C, 4 * C)
        m = 0.5 * m * (1 + torch.tanh(math.sqrt(2 / math.pi) * (m + 0.044715 * m**3)))
        x = x + conv(m, f'h.{l}.mlp.c_proj', 4 * C, C)
    return norm(x, 'ln_f') @ weight('wte.weight', V, C).T


def mamba(ids, V=11, C=8, L=2, S=4, W=4):
    """The recurrence of the paper, step by step."""
    D, R = 2 * C, math.ceil(C / 16)
    rms = lambda x, w: x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5) * w
    x = weight('backbone.embedding.weight', V, C)[ids]
    for l in range(L):
        p = f'backbone.layers.{l}'
        w = lambda name, *shape: weight(f'{p}.mixer.{name}', *shape)
        u, z = (rms(x, weight(f'{p}.norm.weight', C)) @ w('in_proj.weight', 2 * D, C).T).split(D, -1)
        kernel, bias = w('conv1d.weight', D, 1, W), w('conv1d.bias', D)
        past = torch.cat([torch.zeros(W - 1, D, dtype=u.dtype), u])
        u = F.silu(torch.stack([(past[t : t + W] * kernel[:, 0].T).sum(0) + bias for t in range(len(ids))]))
        dt, B, Cs = (u @ w('x_proj.weight', R + 2 * S, D).T).split([R, S, S], -1)
        dt = F.softplus(dt @ w('dt_proj.weight', D, R).T + w('dt_proj.bias', D))
        A = -torch.exp(w('A_log', D, S))
        h, ys = torch.zeros(D, S, dtype=u.dtype), []
        for t in range(len(ids)):
            h = torch.exp(dt[t, :, None] * A) * h + dt[t, :, None] * B[t] * u[t, :, None]
            ys.append(h @ Cs[t] + w('D', D) * u[t])
        x = x + (torch.stack(ys) * F.silu(z)) @ w('out_proj.weight', C, D).T
    return rms(x, weight('backbone.norm_f.weight', C)) @ weight('backbone.embedding.weight', V, C).T


ids = [3, 0, 10, 7, 7, 1]
print(json.dumps({'ids': ids, **{f.__name__: [round(v, 6) for v in f(ids).flatten().tolist()] for f in (gpt2, mamba)}}))
