"""
Seldon Core v1 behind its ingress, on its official messages and services: a deployment is found by the headers `seldon` and
`namespace` (gRPC) or by the path (REST), and answers as the official Python wrapper would.

The deployment's name says in which form it answers.
"""
import json
import math
import re
import struct
import sys
import types
from pathlib import Path

import grpc
from google.protobuf import json_format
from serve import class_of, label_of, scores_of, serve

# The package's own __init__ imports clients of clouds; its messages need nothing of that.
folder = next(path for path in (Path(entry) / "seldon_core" for entry in sys.path) if path.is_dir())
sys.modules["seldon_core"] = types.ModuleType("seldon_core")
sys.modules["seldon_core"].__path__ = [str(folder)]

from seldon_core.proto import prediction_pb2, prediction_pb2_grpc  # noqa: E402

NAMESPACE = "kubeflow"
SHAPE = [3, 4, 5]
JPEG = b"\xff\xd8\xff"


class Refused(Exception):
    pass


def rows(request):
    """The bytes of each input of the batch."""
    kind = request.WhichOneof("data_oneof")
    if kind == "binData":
        if not request.binData.startswith(JPEG):
            raise Refused("binData is not a JPEG")
        return [request.binData]
    if kind != "data" or request.data.WhichOneof("data_oneof") != "tensor":
        raise Refused("Unknown data in SeldonMessage")
    tensor = request.data.tensor
    shape, values = list(tensor.shape), list(tensor.values)
    if shape[1:] != SHAPE or len(values) != math.prod(shape):
        raise Refused(f"cannot reshape array of size {len(values)} into shape {shape}")
    size = math.prod(SHAPE)
    return [struct.pack(f"<{size}f", *values[i * size : (i + 1) * size]) for i in range(shape[0])]


def tftensor(message, dtype, shape, field, values):
    tensor = message.data.tftensor
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, field).extend(values)


def predict(form, request):
    classes = [class_of(data) for data in rows(request)]
    n = len(classes)
    scores = [scores_of(index) for index in classes]
    flat = [score for row in scores for score in row]
    message = prediction_pb2.SeldonMessage()
    message.meta.tags["server"].string_value = "test"
    if form == "tensor":
        message.data.names.extend(f"t:{i}" for i in range(1000))
        message.data.tensor.shape.extend([n, 1000])
        message.data.tensor.values.extend(flat)
    elif form == "tensor-classes":
        message.data.tensor.shape.extend([n])
        message.data.tensor.values.extend(classes)
    elif form == "ndarray":
        message.data.ndarray.extend(scores)
    elif form == "ndarray-labels":
        message.data.ndarray.extend([[label_of(index)] for index in classes])
    elif form == "tftensor":
        tftensor(message, 1, [n, 1000], "float_val", flat)
    elif form == "tftensor-classes":
        tftensor(message, 9, [n], "int64_val", classes)
    elif form == "tftensor-labels":
        tftensor(message, 7, [n], "string_val", [label_of(index).encode() for index in classes])
    elif form == "label":
        message.strData = label_of(classes[0])
    elif form == "json":
        json_format.ParseDict({"probabilities": scores, "model": {"version": None}}, message.jsonData)
    elif form == "json-label":
        json_format.ParseDict([label_of(index) for index in classes], message.jsonData)
    elif form == "bytes":
        message.binData = label_of(classes[0]).encode()
    elif form == "empty":
        pass
    elif form == "failure":
        message.status.status = prediction_pb2.Status.FAILURE
        message.status.code = 500
        message.status.reason = "MICROSERVICE_INTERNAL_ERROR"
        message.status.info = "the model is out of order"
    else:
        raise Refused(f"model {form} has no such form of answer")
    return message


class Servicer(prediction_pb2_grpc.SeldonServicer):
    def Predict(self, request, context):
        metadata = dict(context.invocation_metadata())
        if metadata.get("namespace") != NAMESPACE or "seldon" not in metadata:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no route for these headers")  # as Envoy says it
        return predict(metadata["seldon"], request)  # an exception becomes UNKNOWN, as in the wrapper


def post(path, _headers, body):
    matched = re.fullmatch(rf"/seldon/{NAMESPACE}/([^/]+)/api/v1\.0/predictions", path)
    if not matched:
        return 404, {"error": "no route"}
    try:
        request = json_format.ParseDict(json.loads(body), prediction_pb2.SeldonMessage())
        return 200, json_format.MessageToDict(predict(matched[1], request))
    except (Refused, json_format.ParseError) as refused:
        status = {"status": 1, "info": str(refused), "code": -1, "reason": "MICROSERVICE_BAD_DATA"}
        return 400, {"status": status}


serve(lambda server: prediction_pb2_grpc.add_SeldonServicer_to_server(Servicer(), server), post)
