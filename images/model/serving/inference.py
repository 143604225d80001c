"""A model of OpenVINO's own format, computed by one process of a model server, whichever server that is.

Environment (read once, when the model is loaded):
  INFERENCE_NUM_THREADS  threads OpenVINO computes with; default: one per CPU this process may use
  NUM_STREAMS            inferences computed at the same time; default 1
"""

import os
from collections import deque

import numpy as np
import openvino as ov

# A batch is cut into these sizes, largest first: one compiled model per size, because a free batch axis costs 8-20 %.
SIZES = (4, 2, 1)


def load(xml):
    """The model in that file, with as many threads and streams as the environment says."""
    return Network(xml, positive("INFERENCE_NUM_THREADS", len(os.sched_getaffinity(0))), positive("NUM_STREAMS", 1))


def positive(name, default):
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"{name}={text}: must be a whole number of at least 1")
    return int(text)


class Pool:
    """The infer requests of one batch size, one per stream, each with a buffer for its input."""

    def __init__(self, core, xml, size, config, streams):
        model = core.read_model(xml)
        shape = [size, *model.input(0).partial_shape.get_max_shape()[1:]]
        model.reshape(shape)
        self.size = size
        self.classes = model.output(0).shape[1]
        dtype = model.input(0).element_type.to_dtype()
        compiled = core.compile_model(model, "CPU", config)
        self.free = deque((compiled.create_infer_request(), np.zeros(shape, dtype)) for _ in range(streams))
        for request, zeros in self.free:  # the first inference allocates
            request.infer({0: zeros}, share_inputs=True)


class Network:
    """Batches of any size in, probabilities out, over as many streams as there are."""

    def __init__(self, xml, threads, streams):
        core = ov.Core()
        config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            "ENABLE_CPU_PINNING": False,  # the pod's own CPU set decides
        }
        self.streams = streams
        self.pools = [Pool(core, xml, size, config, streams) for size in SIZES]
        self.classes = self.pools[0].classes

    def __call__(self, batches):
        """List of [k, ...] -> [sum of k, classes]."""
        rows = batches[0] if len(batches) == 1 else [row for batch in batches for row in batch]
        result = np.empty((len(rows), self.classes), np.float32)
        running = deque()
        start = 0
        while start < len(rows):
            # Leave work for the other streams rather than fill one with a large piece.
            fair = -(-(len(rows) - start) // self.streams)
            pool = next(pool for pool in self.pools if pool.size <= fair)
            if not pool.free:
                self.collect(running, result, until=pool)
            piece = slice(start, start + pool.size)
            request, buffer = pool.free.popleft()
            tensor = self.gather(rows, piece, buffer)
            if self.streams == 1:
                result[piece] = request.infer({0: tensor}, share_inputs=True, share_outputs=True)[0]
                pool.free.append((request, buffer))
            else:
                request.start_async({0: tensor}, share_inputs=True)
                running.append((pool, request, buffer, piece, tensor))
            start = piece.stop
        self.collect(running, result)
        return result

    @staticmethod
    def gather(rows, piece, buffer):
        if isinstance(rows, np.ndarray):
            return rows[piece]  # already side by side: no copy
        if len(buffer) == 1:
            return rows[piece.start][None]
        for i, row in enumerate(rows[piece]):
            buffer[i] = row
        return buffer

    @staticmethod
    def collect(running, result, until=None):
        while running and not (until and until.free):
            pool, request, buffer, piece, _tensor = running.popleft()
            request.wait()
            result[piece] = request.get_output_tensor(0).data
            pool.free.append((request, buffer))
