"""PyTorch on the recipe cifar100-resnet20: the same net, pictures, augmentation, optimizer and rate.

Prints one JSON line per epoch: training loss, test accuracy, seconds of the training pass. The test set chooses nothing.

    TENON_DATA=DIR python3 bench/peers/cifar100_resnet20.py [--epochs N] [--stop N] [--seed N]

--stop ends after so many epochs of the schedule of --epochs; --device cuda trains on a GPU.
"""

import argparse
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=14)
parser.add_argument("--stop", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()
torch.manual_seed(args.seed)
dev = torch.device(args.device)


class Block(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.stride, self.more = stride, o - c

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.more != 0:
            half = self.more // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.more - half))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks, c = [], 16
        for stage, o in enumerate((16, 32, 64)):
            for b in range(3):
                blocks.append(Block(c, o, 2 if stage > 0 and b == 0 else 1))
                c = o
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(64, 100)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        return self.linear(self.blocks(F.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


def pictures(split):
    """Records of a coarse label, a fine label and 3 · 32 · 32 bytes."""
    path = os.path.join(os.environ["TENON_DATA"], "cifar-100-binary", f"{split}.bin")
    rows = np.fromfile(path, np.uint8).reshape(-1, 3074)
    x = torch.from_numpy(rows[:, 2:].reshape(-1, 3, 32, 32).copy())
    return x.to(dev), torch.from_numpy(rows[:, 1].astype(np.int64)).to(dev)


mean = torch.tensor([0.5071, 0.4865, 0.4409], device=dev).view(1, 3, 1, 1)
std = torch.tensor([0.2673, 0.2564, 0.2762], device=dev).view(1, 3, 1, 1)


def augmented(x):
    """A shift by at most 4 places, the rest black, and a mirror image for every second picture."""
    n = x.shape[0]
    wide = F.pad(x, (4, 4, 4, 4))
    dy, dx = (torch.randint(0, 9, (n, 1), device=dev) for _ in range(2))
    at = torch.arange(32, device=dev)
    flip = torch.rand(n, 1, device=dev) < 0.5
    columns = dx + torch.where(flip, 31 - at, at)
    rows = dy + at
    index = torch.arange(n, device=dev).view(n, 1, 1)
    return wide.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def numbers(x):
    return (x.float() / 255 - mean) / std


train_x, train_y = pictures("train")
test_x, test_y = pictures("test")
net = ResNet20().to(dev)
optimizer = torch.optim.SGD(net.parameters(), 0.2, momentum=0.9, nesterov=True, weight_decay=5e-4)
steps = len(train_x) // 128
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, 0.2, total_steps=args.epochs * steps, cycle_momentum=False
)
for epoch in range(args.stop or args.epochs):
    net.train()
    start, total = time.time(), 0.0
    order = torch.randperm(len(train_x), device=dev)
    for s in range(steps):
        i = order[s * 128 : s * 128 + 128]
        loss = F.cross_entropy(net(numbers(augmented(train_x[i]))), train_y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
    seconds = time.time() - start
    net.eval()
    with torch.no_grad():
        right = sum(
            (net(numbers(test_x[i : i + 250])).argmax(1) == test_y[i : i + 250]).sum().item()
            for i in range(0, len(test_x), 250)
        )
    line = {"epoch": epoch + 1, "trainLoss": total / steps, "testAccuracy": right / len(test_x), "seconds": seconds}
    print(json.dumps(line), flush=True)
