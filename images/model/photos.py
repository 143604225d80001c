"""Photographs whose content ImageNet has a class for, out of the packages that carry them."""

import io
import os
from importlib.util import find_spec

import numpy as np
from PIL import Image

SIZE = 224
# Name, package, file in it, classes that are a right answer.
PHOTOS = [
    ("coffee", "skimage", "data/coffee.png", [967]),  # espresso
    ("chelsea", "skimage", "data/chelsea.png", [281, 282, 285]),  # tabby, tiger cat, Egyptian cat
    ("rocket", "skimage", "data/rocket.jpg", [657]),  # missile
    ("china", "sklearn", "datasets/images/china.jpg", [698]),  # palace
    ("flower", "sklearn", "datasets/images/flower.jpg", [985]),  # daisy
]


def load(package, file):
    """Bytes of a photo as JPEG: as they are in the package, or encoded from its PNG."""
    # find_spec locates a package without importing it: its own dependencies are not installed.
    with open(os.path.join(find_spec(package).submodule_search_locations[0], file), "rb") as source:
        data = source.read()
    if file.endswith(".jpg"):
        return data, Image.open(io.BytesIO(data)).convert("RGB")
    image = Image.open(io.BytesIO(data)).convert("RGB")
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=95)
    return encoded.getvalue(), image


def tensor(image):
    """Centre crop, bicubic resize, (x-127)/128 -> FP32 [3,224,224]: what the weights were trained on."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.BICUBIC)
    pixels = (np.asarray(square, np.float32) - 127) / 128
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype="<f4")
