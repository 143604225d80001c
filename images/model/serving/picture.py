"""The two ends of a classifier of photos: encoded bytes to pixels, probabilities to the name of the class."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

SIZE = 224
# A small file can decode to a huge picture; more pixels than this are refused.
Image.MAX_IMAGE_PIXELS = 40_000_000


def decode(data):
    """JPEG or PNG -> UINT8 [224,224,3], blue first: centre crop, bicubic resize. Raises ValueError for anything else."""
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
        image.draft("RGB", (256, 256))  # a JPEG is decoded at 1/2, 1/4 or 1/8 while no side gets smaller
        image = image.convert("RGB")
    except UnidentifiedImageError:
        raise ValueError(f"these {len(data)} bytes are neither a JPEG nor a PNG file") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"a picture of {len(data)} bytes that cannot be decoded: {error}") from None
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.resize((SIZE, SIZE), Image.BICUBIC, box=(left, top, left + side, top + side))
    return np.frombuffer(image.tobytes("raw", "BGR"), np.uint8).reshape(SIZE, SIZE, 3)


class Names:
    """Names of the classes, one a line, in the order of their numbers."""

    def __init__(self, file):
        self.names = np.array([line.encode() for line in Path(file).read_text().splitlines()], dtype=object)

    def __call__(self, probabilities):
        """FP32 [n, classes] -> names of the likeliest, bytes [n]."""
        return self.names[probabilities.argmax(axis=1)]
