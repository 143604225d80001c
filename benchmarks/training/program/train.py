"""
One process of a distributed training with parameter servers, as the TFJob's TF_CONFIG says which. The chief hands out steps
(asynchronous SGD on synthetic images), workers compute them, parameter servers keep the variables. All end by themselves.

usage: train.py '{"model": "resnet50", "imageSize": 224, "classes": 1000, "batch": 32, "steps": 100, "warmupSteps": 10,
                  "learningRate": 0.001, "seed": 0, "patienceSeconds": 300, "port": 2223}'

Each line of the log that begins with `training {` is for programs: events of all processes, and of a worker every step.
"""

import json
import os
import platform
import re
import socket
import sys
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["GRPC_FAIL_FAST"] = "use_caller"  # a peer that is not there yet is waited for

import tensorflow as tf  # noqa: E402

from networks import networks  # noqa: E402

DONE = b"done\n"


def say(event, **facts):
    print("training", json.dumps({"event": event, **facts}), flush=True)


class Impatient(Exception):
    """Somebody did not come in time."""


def machine():
    with open("/proc/cpuinfo") as lines:
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "kernel": platform.release(),
        "cpuModel": models[0] if models else "unknown",
        "cpus": len(os.sched_getaffinity(0)),
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }


def chief_host(resolver):
    return resolver.cluster_spec().as_dict()["chief"][0].rsplit(":", 1)[0]


def connect(address, deadline):
    """A connection to `host:port` as soon as there is one."""
    host, port = address.rsplit(":", 1)
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=5)
        except OSError as error:
            if time.monotonic() > deadline:
                raise Impatient(f"{address} does not answer: {error}") from error
            time.sleep(0.5)


def serve(resolver, options):
    """A worker or parameter server: does what the chief says, until the chief is done or gone."""
    tf.distribute.Server(
        resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id, protocol="grpc", start=True
    )
    say("ready", **machine())
    chief = connect(f"{chief_host(resolver)}:{options['port']}", time.monotonic() + options["patienceSeconds"])
    chief.settimeout(None)
    try:
        is_done = chief.makefile("rb").readline() == DONE
    except OSError:
        is_done = False
    # How the training ended is the chief's to say; who ends with an error here would be started again.
    say("end" if is_done else "chief lost")


class Chief:
    """Tells those who serve when it is over, on a port of its own: TensorFlow has no word for it."""

    def __init__(self, port):
        self._connections = []
        listener = socket.create_server(("", port), backlog=128)
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def _accept(self, listener):
        while True:
            self._connections.append(listener.accept()[0])

    def dismiss(self):
        for connection in self._connections:
            try:
                connection.sendall(DONE)
                connection.close()
            except OSError:
                pass  # it is gone already


def step_of(network, batch, size, classes, rate, seed):
    """A training step, and the data for it: one batch of noise that each worker makes for itself and keeps."""

    def data():
        images = tf.random.stateless_normal([batch, size, size, 3], [seed, 0])
        labels = tf.random.stateless_uniform([batch], [seed, 1], 0, classes, tf.int32)
        return tf.data.Dataset.from_tensors((images, labels)).repeat().prefetch(1)

    @tf.function
    def step(iterator, phase):
        begin = tf.timestamp()
        with tf.control_dependencies([begin]):
            images, labels = next(iterator)
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(images))
            loss = tf.reduce_mean(losses)
        variables = network.trainable_variables
        updates = [v.assign_sub(rate * gradient) for v, gradient in zip(variables, tape.gradient(loss, variables))]
        with tf.control_dependencies([update for update in updates if update is not None]):
            end = tf.timestamp()
            text = [tf.strings.as_string(value, precision=6) for value in (begin, end, loss)]
            line = tf.strings.join(
                ['training {"event": "step", "phase": "', phase, '", "begin": ', text[0], ', "end": ', text[1], ', "loss": "', text[2], '"}']
            )
            # Printed where it was computed: in the worker's own log.
            with tf.control_dependencies([tf.print(line, output_stream=sys.stdout)]):
                return tf.identity(loss)

    return data, step


def train(resolver, options):
    """The chief: connects, hands out the steps of all workers, and says how long they took together."""
    cluster = resolver.cluster_spec().as_dict()
    chief = Chief(options["port"])
    deadline = time.monotonic() + options["patienceSeconds"]
    say("waiting", workers=len(cluster["worker"]), ps=len(cluster["ps"]))
    for address in cluster["ps"] + cluster["worker"]:
        connect(address, deadline).close()
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        network = networks[options["model"]](options["imageSize"], options["classes"])
    say("start", parameters=network.parameters, **machine())
    batch = options["batch"]
    data, step = step_of(
        network, batch, options["imageSize"], options["classes"], options["learningRate"], options["seed"]
    )
    iterator = iter(coordinator.create_per_worker_dataset(data))

    def run(phase, steps):
        begin, cpu = time.time(), time.process_time()
        losses = [
            coordinator.schedule(step, args=(iterator, tf.constant(phase))) for _ in range(steps * len(cluster["worker"]))
        ]
        coordinator.join()
        end = time.time()
        loss = float(losses[-1].fetch()) if losses else None
        say(
            "phase",
            phase=phase,
            steps=len(losses),
            images=len(losses) * batch,
            begin=begin,
            end=end,
            cpuSeconds=time.process_time() - cpu,
            loss=str(loss),
        )

    run("warmup", options["warmupSteps"])
    run("measure", options["steps"])
    chief.dismiss()
    say("end")


def reason(error):
    """TensorFlow's errors are pages; who is gone is somewhere in them."""
    gone = re.search(r"/job:(\w+)/replica:\d+/task:(\d+)", str(error))
    if isinstance(error, tf.errors.UnavailableError) and gone:
        return f"{gone[1]} {gone[2]} was lost, and what it knew with it"
    return f"{type(error).__name__}: {' '.join(error.message.split())[:300]}"


def main():
    options = json.loads(sys.argv[1])
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver(rpc_layer="grpc")
    try:
        if resolver.task_type in ("worker", "ps"):
            serve(resolver, options)
        else:
            train(resolver, options)
    except Impatient as error:
        say("error", message=f"not all processes of the training came: {error}")
        return 1
    except tf.errors.OpError as error:
        say("error", message=reason(error))
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # TensorFlow's servers cannot be stopped, and would keep the process
