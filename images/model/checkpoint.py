"""Reads a PyTorch checkpoint in the format of before 1.6 with numpy alone: no PyTorch, and no code of the file is run."""

import pickle
import struct
from collections import OrderedDict

import numpy as np

TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Unpickler(pickle.Unpickler):
    """Knows the few names a state dictionary consists of and refuses every other."""

    def find_class(self, module, name):
        if name == "OrderedDict":
            return OrderedDict
        if name in TYPES:
            return name
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        raise pickle.UnpicklingError(f"unexpected {module}.{name} in the checkpoint")

    def persistent_load(self, saved_id):
        _, kind, key, *_ = saved_id
        return kind, key


def read(path):
    """State dictionary of the file: {name: array}."""
    with open(path, "rb") as file:
        for _ in range(3):  # magic number, protocol version, sizes of the writer's machine
            pickle.load(file)
        tensors = _Unpickler(file).load()
        kinds = {key: kind for (kind, key), *_ in tensors.values()}
        storages = {}
        for key in pickle.load(file):
            dtype = TYPES[kinds[key]]
            (count,) = struct.unpack("<q", file.read(8))
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)

    def tensor(saved, offset, shape, strides):
        storage = storages[saved[1]]
        view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [s * storage.itemsize for s in strides])
        return view.copy()

    return {name: tensor(*parts) for name, parts in tensors.items()}
