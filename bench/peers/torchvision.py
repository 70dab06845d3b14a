"""torchvision's side of the transforms' benchmark: milliseconds of an epoch, the first one left out.

usage: torchvision.py FOLDER_OF_PHOTOS CIFAR_IMAGES WORKERS
"""

import json
import sys
import time

# The folder of this script must not stand for the package of the same name.
sys.path.pop(0)

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

folder, images, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1 if workers else 2)


class Cifar(Dataset):
    """As torchvision.datasets.CIFAR10 holds its pictures."""

    def __init__(self, transform):
        self.data = np.random.default_rng(1).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
        self.transform = transform

    def __len__(self):
        return images

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.data[i])), i % 10


def epoch(dataset, batch_size, rounds):
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for _ in loader:
            pass
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times[1:])[rounds // 2]


crop = [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), T.ToTensor()]
cifar = Cifar(T.Compose(crop + [T.Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))]))
photos = ImageFolder(
    folder,
    T.Compose(
        [
            T.RandomResizedCrop(224),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    ),
)
print(json.dumps({"cifar": epoch(cifar, 128, 1), "photos": epoch(photos, 32, 3)}))
