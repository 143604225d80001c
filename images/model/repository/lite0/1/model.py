"""EfficientNet-lite0 behind Triton's Python backend."""

from pathlib import Path

import triton_python_backend_utils as pb

from inference import load


class TritonPythonModel:
    """FP32 tensor `data` [n,3,224,224] -> softmax `prob` [n,1000]."""

    def initialize(self, args):
        self.network = load(Path(args["model_repository"], args["model_version"], "lite0.xml"))

    def execute(self, requests):
        batches = [pb.get_input_tensor_by_name(request, "data").as_numpy() for request in requests]
        result = self.network(batches)
        responses, start = [], 0
        for batch in batches:
            end = start + len(batch)
            responses.append(pb.InferenceResponse([pb.Tensor("prob", result[start:end])]))
            start = end
        return responses
