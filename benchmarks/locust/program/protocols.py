"""What a request of each protocol is, and which answer a reply holds. An answer is a class: its number, or its name."""

import base64
import json
import struct
import sys
from array import array

FORMATS = {"FP32": "f", "FP64": "d", "INT32": "i", "INT64": "q"}


class Unreadable(Exception):
    """A reply that holds no answer."""


class ServerFailed(Exception):
    """A reply in which the server says that it failed."""


def numbers_of(raw, datatype):
    values = array(FORMATS[datatype], raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def best(values):
    """The best of many scores; one number alone is the class itself."""
    if len(values) == 0:
        raise Unreadable("the output is empty")
    if isinstance(values[0], (str, bytes)):
        return values[0].decode() if isinstance(values[0], bytes) else values[0]
    if len(values) == 1:
        return int(values[0])
    return max(range(len(values)), key=values.__getitem__)


def flat(values):
    """A list as deep as the shape says, as one."""
    return [inner for value in values for inner in flat(value)] if isinstance(values, list) else [values]


def from_raw(datatype, raw):
    if datatype == "BYTES":
        (length,) = struct.unpack_from("<I", raw)
        return raw[4 : 4 + length].decode()
    if datatype not in FORMATS:
        raise Unreadable(f"the output's type is {datatype or 'missing'}")
    return best(numbers_of(raw, datatype))


def named(outputs, name):
    """Index of the output of this name."""
    for index, found in enumerate(outputs):
        if found == name:
            return index
    raise Unreadable(f'no output "{name}" among {outputs}')


class V2Rest:
    def __init__(self, target):
        self.target = target
        self.path = f"/v2/models/{target['model']}/infer"

    def request(self, item):
        data = item["data"]
        if item["datatype"] == "FP32":
            tensor = {"data": numbers_of(data, "FP32").tolist()}
        else:
            tensor = {"data": [base64.b64encode(data).decode()], "parameters": {"content_type": "base64"}}
        tensor.update(name=self.target["input"], datatype=item["datatype"], shape=[1, *item["shape"]])
        return json.dumps({"inputs": [tensor], "outputs": [{"name": self.target["output"]}]}).encode()

    def answer(self, body):
        outputs = json.loads(body).get("outputs", [])
        output = outputs[named([output.get("name") for output in outputs], self.target["output"])]
        return best(flat(output.get("data", [])))


class SeldonRest:
    path = "/api/v1.0/predictions"

    def __init__(self, target):
        pass

    def request(self, item):
        if item["datatype"] == "BYTES":
            return json.dumps({"binData": base64.b64encode(item["data"]).decode()}).encode()
        values = numbers_of(item["data"], "FP32").tolist()
        return json.dumps({"data": {"tensor": {"shape": [1, *item["shape"]], "values": values}}}).encode()

    def answer(self, body):
        message = json.loads(body)
        status = message.get("status") or {}
        if status.get("status") in ("FAILURE", 1):
            raise ServerFailed(status.get("reason") or status.get("info") or "no reason")
        data = message.get("data", {})
        if "tensor" in data:
            return best(data["tensor"].get("values", []))
        if "ndarray" in data:
            return best(flat(data["ndarray"]))
        if "strData" in message:
            return message["strData"]
        raise Unreadable("the message holds none of data.tensor, data.ndarray and strData")


class V2Grpc:
    path = "/inference.GRPCInferenceService/ModelInfer"

    def __init__(self, target):
        import grpc

        self.messages = grpc.protos("v2.proto")
        self.target = target

    def request(self, item):
        data = item["data"]
        raw = data if item["datatype"] == "FP32" else struct.pack("<I", len(data)) + data
        request = self.messages.ModelInferRequest(model_name=self.target["model"], raw_input_contents=[raw])
        request.inputs.add(name=self.target["input"], datatype=item["datatype"], shape=[1, *item["shape"]])
        request.outputs.add(name=self.target["output"])
        return request.SerializeToString()

    def answer(self, body):
        reply = self.messages.ModelInferResponse.FromString(body)
        index = named([output.name for output in reply.outputs], self.target["output"])
        output = reply.outputs[index]
        if len(reply.raw_output_contents) > index:
            return from_raw(output.datatype, reply.raw_output_contents[index])
        contents = output.contents
        fields = {
            "FP32": contents.fp32_contents,
            "FP64": contents.fp64_contents,
            "INT32": contents.int_contents,
            "INT64": contents.int64_contents,
            "BYTES": contents.bytes_contents,
        }
        if output.datatype not in fields:
            raise Unreadable(f"the output's type is {output.datatype or 'missing'}")
        return best(fields[output.datatype])


class SeldonGrpc:
    path = "/seldon.protos.Seldon/Predict"

    def __init__(self, target):
        import grpc

        self.messages = grpc.protos("seldon.proto")

    def request(self, item):
        message = self.messages.SeldonMessage()
        if item["datatype"] == "BYTES":
            message.binData = item["data"]
        else:
            message.data.tensor.shape.extend([1, *item["shape"]])
            message.data.tensor.values.extend(numbers_of(item["data"], "FP32"))
        return message.SerializeToString()

    def answer(self, body):
        message = self.messages.SeldonMessage.FromString(body)
        if message.status.status:
            raise ServerFailed(message.status.reason or message.status.info or "no reason")
        kind = message.WhichOneof("data_oneof")
        if kind == "strData":
            return message.strData
        form = message.data.WhichOneof("data_oneof") if kind == "data" else None
        if form == "tensor":
            return best(message.data.tensor.values)
        if form == "ndarray":
            from google.protobuf import json_format

            return best(flat(json_format.MessageToDict(message.data.ndarray)))
        raise Unreadable("the message holds none of data.tensor, data.ndarray and strData")


protocols = {"v2-rest": V2Rest, "v2-grpc": V2Grpc, "seldon-rest": SeldonRest, "seldon-grpc": SeldonGrpc}
