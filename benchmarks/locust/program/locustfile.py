"""
Users that each send the next request when the last was answered. `/spec/spec.json` says to which server, `/inputs` what; a
wrong answer counts as a failed request. The master ends a run with one line for programs: `locust {...}`.
"""

import itertools
import json
import os
import random
import socket
import time
from pathlib import Path

from locust import FastHttpUser, User, constant, events, task

import access  # noqa: F401  (guards the web page)
import report  # noqa: F401  (writes that line)
from protocols import ServerFailed, Unreadable, protocols

SPEC = json.loads(Path(os.environ.get("SPEC", "/spec/spec.json")).read_text())
TARGET = SPEC["target"]
PROTOCOL = TARGET["protocol"]
IS_GRPC = PROTOCOL.endswith("-grpc")
HEADERS = TARGET.get("headers", {})
TIMEOUT = SPEC["timeoutSeconds"]
IS_MASTER = os.environ.get("ROLE") == "master"

if IS_GRPC and not IS_MASTER:
    try:
        import grpc
        import grpc.experimental.gevent
        import grpc_tools  # noqa: F401
    except ImportError as error:
        raise SystemExit(
            f"{PROTOCOL} needs the Python packages grpcio and grpcio-tools, which this image lacks ({error}); "
            "let images.locust name one that has them, or use v2-rest or seldon-rest"
        ) from error
    grpc.experimental.gevent.init_gevent()


def read_inputs(protocol):
    folder = Path(os.environ.get("INPUTS", "/inputs"))
    for entry in json.loads((folder / "manifest.json").read_text())["inputs"]:
        item = {**entry, "data": (folder / entry["file"]).read_bytes()}
        yield protocol.request(item), set(item["labels"])


def addresses():
    """The servers' addresses in turn: a name alone would lead all users to the first one."""
    found = socket.getaddrinfo(TARGET["host"], TARGET["port"], proto=socket.IPPROTO_TCP)
    unique = sorted({address[0] for *_, address in found})
    random.shuffle(unique)  # or all workers would begin with the same one
    return itertools.cycle(f"[{ip}]:{TARGET['port']}" if ":" in ip else f"{ip}:{TARGET['port']}" for ip in unique)


if not IS_MASTER:
    protocol = protocols[PROTOCOL](TARGET)
    inputs = list(read_inputs(protocol))
    report.body_bytes = sum(len(body) for body, _ in inputs) / len(inputs)
    next_address = addresses()


class WrongAnswer(Exception):
    """The reply holds another class than the input's."""


def check(body, labels):
    try:
        answer = protocol.answer(body)
    except ServerFailed:
        raise
    except Exception as error:
        raise Unreadable(f"unreadable reply: {error}") from error
    if answer not in labels:
        raise WrongAnswer("wrong answer")


class RestUser(FastHttpUser):
    abstract = True
    network_timeout = connection_timeout = TIMEOUT

    def __init__(self, environment):
        self.host = f"http://{next(next_address)}"
        super().__init__(environment)

    def send(self, body, labels):
        headers = {"Content-Type": "application/json", "Host": TARGET.get("authority") or TARGET["host"], **HEADERS}
        with self.client.post(
            protocol.path, data=body, headers=headers, name=TARGET["model"], catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"http {response.status_code}" if response.status_code else "connection")
                return
            try:
                check(response.content, labels)
            except (WrongAnswer, ServerFailed, Unreadable) as error:
                response.failure(str(error))


class GrpcUser(User):
    abstract = True

    def __init__(self, environment):
        self.host = next(next_address)
        super().__init__(environment)
        authority = TARGET.get("authority") or TARGET["host"]
        # Of its own: users that shared a channel would share its one connection.
        options = [("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(self.host, options=options)
        self.call = self.channel.unary_unary(protocol.path)

    def on_stop(self):
        self.channel.close()

    def send(self, body, labels):
        fault, reply = None, b""
        start = time.perf_counter()
        try:
            reply = self.call(body, timeout=TIMEOUT, metadata=[(k.lower(), v) for k, v in HEADERS.items()])
        except grpc.RpcError as error:
            fault = Exception(f"grpc {error.code().name}")
        milliseconds = (time.perf_counter() - start) * 1000
        if fault is None:
            try:
                check(reply, labels)
            except (WrongAnswer, ServerFailed, Unreadable) as error:
                fault = error
        self.environment.events.request.fire(
            request_type=PROTOCOL,
            name=TARGET["model"],
            response_time=milliseconds,
            response_length=len(reply),
            exception=fault,
            context={},
        )


class InferenceUser(GrpcUser if IS_GRPC else RestUser):
    """One client of the model."""

    host = f"{TARGET['host']}:{TARGET['port']}"  # shown on the page; each user has the address of one server
    wait_time = constant(0)

    @task
    def infer(self):
        self.send(*random.choice(inputs))


@events.init.add_listener
def spread(environment, **_):
    """Workers draw the inputs in different orders, always the same ones."""
    random.seed(f"{SPEC['seed']}/{os.environ.get('WORKER') or socket.gethostname()}")
