"""Decodes each JPEG, so that one byte lost on the way would be an error, and answers with what only its bytes can give.

The text `wait` in the place of a JPEG keeps the server busy for three seconds.
"""

import base64
import hashlib
import io
import os
import sys
import time

import numpy as np
import triton_python_backend_utils as pb

sys.path.append(os.environ["PHOTO_PYTHONPATH"])  # the backend ignores PYTHONPATH
from PIL import Image


def photo(data):
    """REST without the binary extension has no bytes, so they come as base64 there."""
    if data == b"wait":
        time.sleep(3)
    return data if data[:2] == b"\xff\xd8" else base64.b64decode(data, validate=True)


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(pb.get_input_tensor_by_name(request, "image").as_numpy()) for request in requests]

    def answer(self, images):
        try:
            files = [photo(data) for data in images.ravel()]
            widths = [Image.open(io.BytesIO(file)).convert("RGB").width for file in files]
        except Exception as error:
            return pb.InferenceResponse(error=pb.TritonError(f"not a JPEG: {error}", pb.TritonError.INVALID_ARG))
        column = lambda values, dtype: np.array(values, dtype).reshape(len(files), -1)
        return pb.InferenceResponse(
            [
                pb.Tensor("label", column([hashlib.sha256(file).hexdigest().encode() for file in files], np.object_)),
                pb.Tensor("number", column(widths, np.int32)),
                pb.Tensor("long", column([len(file) for file in files], np.int64)),
                pb.Tensor("double", column([[0.25, 0.75]] * len(files), np.float64)),
            ]
        )
