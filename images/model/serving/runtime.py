"""EfficientNet-lite0 behind MLServer: the same models and requests as behind Triton."""

from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse

import picture
from inference import load


class Tensor(MLModel):
    """FP32 tensor `data` [n,3,224,224] -> softmax `prob` [n,1000]."""

    async def load(self):
        self.network = load(Path(__file__).with_name(f"{self.name}.xml"))
        return True

    def pixels(self, tensor):
        return np.ascontiguousarray(NumpyCodec.decode_input(tensor), np.float32)

    def outputs(self, probabilities):
        return [NumpyCodec.encode_output("prob", probabilities)]

    async def predict(self, payload):
        outputs = self.outputs(self.network([self.pixels(payload.inputs[0])]))
        wanted = {output.name for output in payload.outputs or outputs}
        return InferenceResponse(model_name=self.name, outputs=[output for output in outputs if output.name in wanted])


class Picture(Tensor):
    """JPEG or PNG files `image` [n], in JSON as base64 -> names `label` [n] and softmax `prob` [n,1000]."""

    async def load(self):
        self.names = picture.Names(Path(__file__).with_name("labels.txt"))
        return await super().load()

    def pixels(self, tensor):
        try:
            return np.stack([picture.decode(file) for file in self.decode(tensor, default_codec=Base64Codec)])
        except ValueError as error:
            raise InferenceError(str(error)) from None

    def outputs(self, probabilities):
        label = StringCodec.encode_output("label", [name.decode() for name in self.names(probabilities)])
        label.shape = [len(probabilities)]
        return [label, *super().outputs(probabilities)]

