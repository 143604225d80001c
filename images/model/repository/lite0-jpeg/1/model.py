"""EfficientNet-lite0 with its picture decoder behind Triton's Python backend."""

from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb

import picture
from inference import load


class TritonPythonModel:
    """JPEG or PNG files `image` [n] -> names `label` [n] and softmax `prob` [n,1000]."""

    def initialize(self, args):
        here = Path(args["model_repository"], args["model_version"])
        self.network = load(here / "lite0-jpeg.xml")
        self.names = picture.Names(here / "labels.txt")

    def execute(self, requests):
        return [self.answer(pb.get_input_tensor_by_name(request, "image").as_numpy()) for request in requests]

    def answer(self, files):
        try:
            pixels = np.stack([picture.decode(file) for file in files])
        except ValueError as error:  # a broken picture fails its own request only
            return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
        probabilities = self.network([pixels])
        return pb.InferenceResponse([pb.Tensor("label", self.names(probabilities)), pb.Tensor("prob", probabilities)])
