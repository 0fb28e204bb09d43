#!/usr/bin/env python3
"""make_pth.py FOLDER: the tensors of FOLDER/time-state*.safetensors as torch.save writes them (a zip of a pickle and its storages).

CPython's own pickle and zipfile write the files; classes of torch's names stand in for torch, so that the pickle names them as torch's does.
  time-state.pth          bf16, one storage a tensor
  time-state-strided.pth  f32, every tensor a view of one storage, whose last two axes are swapped in memory (strides N*N, 1, N)
"""
import io, json, pickle, struct, sys, types, zipfile
from collections import OrderedDict

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


def _rebuild_tensor_v2(*arguments):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"
utils._rebuild_tensor_v2 = _rebuild_tensor_v2
sys.modules.update({"torch": torch, "torch._utils": utils})
for kind in ("FloatStorage", "BFloat16Storage"):
    setattr(torch, kind, type(kind, (), {"__module__": "torch"}))


class Storage:
    def __init__(self, kind, key, count):
        self.id = ("storage", getattr(torch, kind), key, "cpu", count)


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce_ex__(self, protocol):
        return _rebuild_tensor_v2, self.parts


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


def read(path):
    raw = open(path, "rb").read()
    n, = struct.unpack_from("<Q", raw)
    head = json.loads(raw[8:8 + n])
    return {k: (v["shape"], raw[8 + n:][slice(*v["data_offsets"])]) for k, v in head.items()}


def save(path, tensors, storages):
    described = io.BytesIO()
    Pickler(described, protocol=2).dump(tensors)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        def put(name, data):
            # One date for every run.
            archive.writestr(zipfile.ZipInfo("archive/" + name), data)
        put("data.pkl", described.getvalue())
        put("byteorder", b"little")
        for key, data in storages.items():
            put("data/" + key, data)
        put("version", b"3\n")


def main(folder):
    tensors, storages = {}, {}
    for i, (name, (shape, data)) in enumerate(read(f"{folder}/time-state-bf16.safetensors").items()):
        storages[str(i)] = data
        strides = (shape[1] * shape[2], shape[2], 1)
        tensors[name] = Tensor(Storage("BFloat16Storage", str(i), len(data) // 2), 0, tuple(shape), strides)
    save(f"{folder}/time-state.pth", tensors, storages)
    whole, views, plain = bytearray(), [], read(f"{folder}/time-state.safetensors")
    for name, (shape, data) in plain.items():
        heads, n = shape[0], shape[1]
        views.append((name, len(whole) // 4, (heads, n, n)))
        at = lambda h, i, j: data[4 * ((h * n + i) * n + j):][:4]
        whole += b"".join(at(h, i, j) for h in range(heads) for j in range(n) for i in range(n))
    storage = Storage("FloatStorage", "0", len(whole) // 4)
    tensors = OrderedDict((name, Tensor(storage, at, shape, (shape[1] ** 2, 1, shape[1]))) for name, at, shape in views)
    save(f"{folder}/time-state-strided.pth", tensors, {"0": bytes(whole)})


main(sys.argv[1])
