"""
TensorFlow Serving as far as Predict goes, on its official messages and service. Refuses, in the words of the real one,
whatever the real one refuses, and beyond that a tensor in any but its most compact form.

The model's name says in which form it answers.
"""
import base64
import csv
import hashlib
import importlib.metadata
import json
import math
import re
import struct

import grpc
from serve import class_of, label_of, scores_of, serve
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

SIGNATURES = {
    "serving_default": ("x", types_pb2.DT_FLOAT, [3, 4, 5]),
    "images": ("image_bytes", types_pb2.DT_STRING, []),
}
CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}


def official():
    """Another package has files of the same names: these must be those of tensorflow-serving-api."""
    package = importlib.metadata.distribution("tensorflow-serving-api")
    for path, digest, _ in csv.reader(package.read_text("RECORD").splitlines()):
        if path.startswith("tensorflow_serving/apis/predict"):
            content = package.locate_file(path).read_bytes()
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert digest == f"sha256={found}", f"{path} is not the official file"


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def shape_of(tensor):
    return [dim.size for dim in tensor.tensor_shape.dim]


def rows(request):
    """The bytes of each input of the batch."""
    signature = request.model_spec.signature_name
    if signature not in SIGNATURES:
        raise Refused(400, f'Serving signature key "{signature}" not found.')
    name, dtype, shape = SIGNATURES[signature]
    if list(request.inputs) != [name]:
        raise Refused(400, f"input size does not match signature: {len(request.inputs)}!=1 len({{{name}}})")
    tensor = request.inputs[name]
    if tensor.dtype != dtype:
        raise Refused(400, f"Expected input {name} to be of type {dtype}, not {tensor.dtype}")
    got = shape_of(tensor)
    if got[1:] != shape or len(got) != len(shape) + 1 or got[0] < 1:
        raise Refused(400, f"Expected input {name} of shape [-1,{shape}], got {got}")
    count = got[0]
    if dtype == types_pb2.DT_STRING:
        data = list(tensor.string_val)
        fits = len(data) == count and not tensor.tensor_content
    else:
        size = math.prod(shape) * 4
        content = tensor.tensor_content
        data = [content[i * size : (i + 1) * size] for i in range(count)]
        fits = len(content) == count * size and not tensor.float_val
    if not fits:
        raise Refused(400, f"The elements of input {name} do not fit its shape {got}")
    return data


def tensor(dtype, shape, **values):
    result = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        result.tensor_shape.dim.add(size=size)
    return result


def answer(form, classes):
    n = len(classes)
    scores = [score for index in classes for score in scores_of(index)]
    if form == "scores":
        return tensor(types_pb2.DT_FLOAT, [n, 1000], float_val=scores)
    if form == "scores-packed":
        return tensor(types_pb2.DT_FLOAT, [n, 1000], tensor_content=struct.pack(f"<{len(scores)}f", *scores))
    if form == "scores-double":
        return tensor(types_pb2.DT_DOUBLE, [n, 1000], double_val=scores)
    if form == "classes":
        return tensor(types_pb2.DT_INT64, [n], int64_val=classes)
    if form == "classes-packed":
        return tensor(types_pb2.DT_INT64, [n], tensor_content=struct.pack(f"<{n}q", *classes))
    if form == "classes-int32":
        return tensor(types_pb2.DT_INT32, [n, 1], int_val=classes)
    if form == "labels":
        return tensor(types_pb2.DT_STRING, [n], string_val=[label_of(index).encode() for index in classes])
    if form == "short":
        return tensor(types_pb2.DT_INT64, [n + 1], int64_val=[*classes, 0])
    raise Refused(404, f"Servable not found for request: Latest({form})")


def predict(request):
    classes = [class_of(data) for data in rows(request)]
    response = predict_pb2.PredictResponse()
    outputs = {"probabilities": lambda: answer(request.model_spec.name, classes)}
    outputs["features"] = lambda: tensor(types_pb2.DT_FLOAT, [len(classes), 2], float_val=[0.0, 1.0] * len(classes))
    for name in request.output_filter or outputs:
        if name not in outputs:
            raise Refused(400, f"output tensor alias not found in signature: {name}")
        response.outputs[name].CopyFrom(outputs[name]())
    response.model_spec.CopyFrom(request.model_spec)
    return response


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request, context):
        try:
            return predict(request)
        except Refused as refused:
            context.abort(CODES[refused.status], str(refused))


def dims(value):
    if not isinstance(value, list):
        return []
    inner = {tuple(dims(element)) for element in value}
    if len(inner) != 1:
        raise Refused(400, "JSON Value: not a regular list of lists")
    return [len(value), *inner.pop()]


def leaves(value):
    return [leaf for element in value for leaf in leaves(element)] if isinstance(value, list) else [value]


def from_json(value):
    """A JSON value as a tensor: texts in {"b64"}, or numbers in nested lists."""
    shape, flat = dims(value), leaves(value)
    if all(isinstance(element, dict) and list(element) == ["b64"] for element in flat):
        texts = [base64.b64decode(element["b64"], validate=True) for element in flat]
        return tensor(types_pb2.DT_STRING, shape, string_val=texts)
    if not all(type(element) in (int, float) for element in flat):
        raise Refused(400, "JSON Value is not of the expected type: float")
    return tensor(types_pb2.DT_FLOAT, shape, tensor_content=struct.pack(f"<{len(flat)}f", *flat))


def to_json(output):
    shape = shape_of(output)
    if output.dtype == types_pb2.DT_STRING:
        flat = [text.decode() for text in output.string_val]
    elif output.tensor_content:
        form = {types_pb2.DT_FLOAT: "f", types_pb2.DT_INT64: "q"}[output.dtype]
        flat = list(struct.unpack(f"<{math.prod(shape)}{form}", output.tensor_content))
    else:
        flat = list(output.float_val or output.double_val or output.int64_val or output.int_val)
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]
    return flat


def post(path, _headers, body):
    try:
        matched = re.fullmatch(r"/v1/models/([^/:]+):predict", path)
        if not matched:
            raise Refused(404, f"Malformed request: POST {path}")
        message = json.loads(body)
        if set(message) - {"signature_name"} not in ({"inputs"}, {"instances"}):
            raise Refused(400, 'Request must have either "inputs" or "instances"')
        # A model whose name ends so has one output: then the server leaves its name away.
        model, single = re.fullmatch(r"(.*?)(-single)?", matched[1]).groups()
        request = predict_pb2.PredictRequest(output_filter=["probabilities"] if single else [])
        request.model_spec.name = model
        request.model_spec.signature_name = message.get("signature_name", "serving_default")
        for name, value in message["inputs"].items():
            request.inputs[name].CopyFrom(from_json(value))
        outputs = {name: to_json(output) for name, output in predict(request).outputs.items()}
        return 200, {"outputs": outputs["probabilities"] if single else outputs}
    except Refused as refused:
        return refused.status, {"error": str(refused)}


official()
serve(lambda server: prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server), post)
