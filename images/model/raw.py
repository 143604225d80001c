"""Raw speed of the model: OpenVINO in this process, batch 1, one thread, on one CPU. What a served model is measured against.

usage: raw.py CPU SECONDS MODEL
  CPU      number of the CPU to stay on
  SECONDS  how long to measure, after a short warm-up
  MODEL    folder that build.py wrote
Prints {"imagesPerSecond", "cpuMillisecondsPerImage", "images", "seconds", "cpu", "openvino"} as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path


def main(cpu, seconds, folder):
    os.sched_setaffinity(0, {cpu})  # before OpenVINO counts its CPUs
    import numpy as np
    import openvino as ov

    entries = json.loads((folder / "inputs" / "manifest.json").read_text())["inputs"]
    tensors = [np.fromfile(folder / "inputs" / entry["file"], "<f4").reshape(1, *entry["shape"]) for entry in entries]
    core = ov.Core()
    model = core.read_model(folder / "repository" / "lite0" / "1" / "lite0.xml")
    model.reshape([1, *entries[0]["shape"]])
    config = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    request = core.compile_model(model, "CPU", config).create_infer_request()

    def infer(i):
        request.infer({0: tensors[i % len(tensors)]}, share_inputs=True, share_outputs=True)

    for i in range(30):
        infer(i)
    images, start, busy = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        infer(images)
        images += 1
    elapsed = time.perf_counter() - start
    print(
        json.dumps(
            {
                "imagesPerSecond": round(images / elapsed, 2),
                "cpuMillisecondsPerImage": round((time.process_time() - busy) / images * 1000, 3),
                "images": images,
                "seconds": round(elapsed, 3),
                "cpu": cpu,
                "openvino": ov.__version__,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
