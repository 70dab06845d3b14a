"""Makes torchvision.json: what torchvision's transforms give for pictures of a fixed stream of bytes.

Run with a Python that has torch, torchvision and Pillow: python3 test/vision/fixtures.py
"""

import base64
import io
import json
import os
import pickle
import struct

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode, autoaugment, functional as F, transforms as T

MODES = {m.value: m for m in InterpolationMode}


def picture(height, width, channels, seed=1):
    """Bytes of a linear congruential generator; the same in pictures.ts."""
    state, out = seed, []
    for _ in range(height * width * channels):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state >> 24)
    a = np.array(out, dtype=np.uint8).reshape(height, width, channels)
    return Image.fromarray(a if channels == 3 else a[:, :, 0])


cases = []


def case(op, args, size, image, call):
    out = np.asarray(call(image))
    channels = out.shape[2] if out.ndim == 3 else 1
    cases.append(
        {
            "op": op,
            "args": args,
            "size": size,
            "shape": [out.shape[0], out.shape[1], channels],
            "bytes": base64.b64encode(out.tobytes()).decode(),
        }
    )


def run(op, args, sizes, call):
    for size in sizes:
        image = picture(*size)
        case(op, args, size, image, lambda x: call(x))


ODD = [[13, 9, 3]]
GREY = [[11, 14, 1]]
BOTH = ODD + GREY

for mode in ["nearest", "bilinear", "bicubic", "box", "lanczos"]:
    for to in [[6, 5], [20, 31], [13, 4], [3, 9]]:
        run("resize", [to, {"interpolation": mode}], BOTH, lambda x: F.resize(x, to, MODES[mode]))
    run(
        "resizedCrop",
        [2, 1, 9, 7, [6, 10], {"interpolation": mode}],
        ODD,
        lambda x: F.resized_crop(x, 2, 1, 9, 7, [6, 10], MODES[mode]),
    )
for side, limit in [(7, None), (20, None), (8, 11)]:
    run("shortSide", [side, limit], [[13, 9, 3], [9, 13, 3]], lambda x: F.resize(x, side, max_size=limit))
for to in [[5, 4], [6, 3], [15, 6], [16, 12]]:
    run("centerCrop", [to], ODD, lambda x: F.center_crop(x, to))
for mode in ["constant", "edge", "reflect", "symmetric"]:
    run("pad", [[1, 2, 3, 4], 0 if mode != "constant" else [10, 20, 30], mode], ODD,
        lambda x: F.pad(x, [1, 2, 3, 4], (10, 20, 30) if mode == "constant" else 0, mode))
run("crop", [-2, 3, 9, 9], BOTH, lambda x: F.crop(x, -2, 3, 9, 9))
run("horizontalFlip", [], BOTH, F.hflip)
run("verticalFlip", [], BOTH, F.vflip)
for mode in ["nearest", "bilinear", "bicubic"]:
    for angle in [15, -37.5, 180]:
        for expand in [False, True]:
            run("rotate", [angle, {"interpolation": mode, "expand": expand, "fill": [9, 8, 7]}], ODD,
                lambda x: F.rotate(x, angle, MODES[mode], expand, fill=[9, 8, 7]))
    run("rotate", [90, {"interpolation": mode}], [[8, 8, 3], [8, 5, 3]], lambda x: F.rotate(x, 90, MODES[mode]))
    run("rotate", [270, {"interpolation": mode, "expand": True}], [[8, 5, 3]],
        lambda x: F.rotate(x, 270, MODES[mode], True))
    run("rotate", [30, {"interpolation": mode, "center": [2, 3]}], GREY,
        lambda x: F.rotate(x, 30, MODES[mode], center=[2, 3]))
    for angle, translate, scale, shear in [
        (20, [1, -2], 1.2, [5, -8]),
        (0, [2, 1], 1.0, [0, 0]),
        (0, [0, 0], 0.7, [0, 0]),
        (-50, [0, 3], 0.8, [10, 0]),
    ]:
        run("affine", [angle, translate, scale, shear, mode], BOTH,
            lambda x: F.affine(x, angle, translate, scale, shear, MODES[mode]))
for factor in [0, 0.3, 0.8, 1, 1.2, 2.5]:
    for op, f in [
        ("adjustBrightness", F.adjust_brightness),
        ("adjustContrast", F.adjust_contrast),
        ("adjustSaturation", F.adjust_saturation),
        ("adjustSharpness", F.adjust_sharpness),
    ]:
        run(op, [factor], BOTH, lambda x: f(x, factor))
for factor in [-0.5, -0.1, 0, 0.13, 0.5]:
    run("adjustHue", [factor], [[40, 30, 3]], lambda x: F.adjust_hue(x, factor))
run("grayscale", [1], ODD, lambda x: F.to_grayscale(x, 1))
run("grayscale", [3], ODD, lambda x: F.to_grayscale(x, 3))
run("invert", [], ODD, F.invert)
for bits in [0, 1, 4, 8]:
    run("posterize", [bits], ODD, lambda x: F.posterize(x, bits))
for threshold in [0, 100, 255]:
    run("solarize", [threshold], ODD, lambda x: F.solarize(x, threshold))
dark = Image.fromarray((np.asarray(picture(13, 9, 3)) // 3 + 40).astype(np.uint8))
case("autocontrast", ["dark"], [13, 9, 3], dark, F.autocontrast)
run("autocontrast", [], BOTH, F.autocontrast)
run("equalize", [], [[40, 30, 3], [13, 9, 3]], F.equalize)
case("equalize", ["dark"], [13, 9, 3], dark, F.equalize)

x = torch.from_numpy(np.asarray(picture(4, 5, 3))).permute(2, 0, 1)
mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
pipeline = T.Compose([T.ToTensor(), T.Normalize(mean, std)])
floats = {
    "toTensor": T.ToTensor()(picture(4, 5, 3)).flatten().tolist(),
    "normalize": pipeline(picture(4, 5, 3)).flatten().tolist(),
}


def space(table):
    return {
        name: [[round(float(v), 6) for v in magnitudes.flatten()], signed]
        for name, (magnitudes, signed) in table.items()
    }


policies = {p.value: autoaugment.AutoAugment(p).policies for p in autoaugment.AutoAugmentPolicy}
spaces = {
    "auto": space(autoaugment.AutoAugment()._augmentation_space(10, (32, 48))),
    "rand": space(autoaugment.RandAugment()._augmentation_space(31, (32, 48))),
    "trivial": space(autoaugment.TrivialAugmentWide()._augmentation_space(31)),
}
steps = []
for op, magnitude in [
    ("ShearX", 0.2), ("ShearY", -0.3), ("TranslateX", 3.7), ("TranslateY", -2.2), ("Rotate", 21.0),
    ("Brightness", -0.4), ("Color", 0.5), ("Contrast", 0.6), ("Sharpness", 0.7), ("Posterize", 5),
    ("Solarize", 140.0), ("AutoContrast", 0.0), ("Equalize", 0.0), ("Invert", 0.0), ("Identity", 0.0),
]:
    run("augment", [op, magnitude], [[20, 26, 3]],
        lambda x: autoaugment._apply_op(x, op, magnitude, InterpolationMode.NEAREST, None))


# A JPEG with halved colours, as cameras write them, and its pixels.
height, width = 37, 51
y, x = np.mgrid[0:height, 0:width]
soft = np.stack([128 + 100 * np.sin(x / (5 + c)) * np.cos(y / 7 + c) for c in range(3)], -1).astype(np.uint8)
buffer = io.BytesIO()
Image.fromarray(soft).save(buffer, "JPEG", quality=85)
pixels = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
jpeg = {
    "file": base64.b64encode(buffer.getvalue()).decode(),
    "shape": [height, width],
    "pixels": base64.b64encode(pixels.tobytes()).decode(),
}


def python2_batch(entries, count, seed):
    """A file of CIFAR's Python form: the opcodes that Python 2 wrote, protocol 2."""
    short = lambda b: b"U" + bytes([len(b)]) + b
    data = np.asarray(picture(count, 3072, 1, seed)).tobytes()
    rows = b"K" + bytes([count]) + b"M" + struct.pack("<H", 3072)
    dtype = b"cnumpy\ndtype\n" + short(b"u1") + b"K\0K\1\x87R(K\3" + short(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + short(b"b") + b"\x87R"
    state = b"(K\1" + rows + b"\x86" + dtype + b"\x89T" + struct.pack("<i", len(data)) + data + b"tb"
    out = b"\x80\x02}(" + short(b"batch_label") + short(b"training batch 1 of 5") + short(b"data") + array + state
    for name, labels in entries.items():
        out += short(name) + b"](" + b"".join(b"K" + bytes([v]) for v in labels) + b"e"
    out += b"u."
    read = pickle.loads(out, encoding="bytes")
    assert read[b"data"].tobytes() == data and read[b"data"].shape == (count, 3072)
    assert all(read[name] == labels for name, labels in entries.items())
    return base64.b64encode(out).decode()


batches = {
    "cifar10": python2_batch({b"labels": [3, 9]}, 2, 5),
    "cifar100": python2_batch({b"fine_labels": [99, 0, 42], b"coarse_labels": [13, 4, 8]}, 3, 6),
}
versions = {"torchvision": torchvision.__version__, "torch": torch.__version__, "Pillow": PIL.__version__}
text = json.dumps({"versions": versions, "floats": floats, "policies": policies, "spaces": spaces, "jpeg": jpeg, "batches": batches}, separators=(",", ":"))
with open(os.path.join(os.path.dirname(__file__), "torchvision.json"), "w") as file:
    file.write(text[:-1] + ',"cases":[\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
print(len(cases), "cases")
