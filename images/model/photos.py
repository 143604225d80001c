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
    """The square in the middle of a photo. A server that only stretches photos to its model's size then sees no other picture."""
    # find_spec locates a package without importing it: its own dependencies are not installed.
    with open(os.path.join(find_spec(package).submodule_search_locations[0], file), "rb") as source:
        image = Image.open(source).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def jpeg(image):
    """Bytes of a JPEG file."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=95)
    return encoded.getvalue()


def tensor(image):
    """Bicubic resize, (x-127)/128 -> FP32 [3,224,224]: what the weights were trained on."""
    pixels = (np.asarray(image.resize((SIZE, SIZE), Image.BICUBIC), np.float32) - 127) / 128
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype="<f4")
