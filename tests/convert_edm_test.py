#!/usr/bin/env python3
"""convert_edm.py on pickles written here in the published files' form: one to one, and nothing malicious runs."""

import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import types

try:
    import torch
except ImportError:
    print("convert_edm_test: skipped (no PyTorch for this Python)")
    sys.exit(77)  # what CTest's SKIP_RETURN_CODE is set to

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "commands", "convert_edm.py")
failures = []


def check(condition, what):
    print(("ok   " if condition else "FAIL ") + what)
    if not condition:
        failures.append(what)


# The published pickles name two modules that exist only where EDM is installed; here they are stand-ins, present while
# pickling and absent (another process) while converting.
persistence = types.ModuleType("torch_utils.persistence")


def _reconstruct_persistent_obj(meta):
    raise AssertionError("called")


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj
sys.modules["torch_utils"] = types.ModuleType("torch_utils")
sys.modules["torch_utils.persistence"] = persistence


class Persistent(torch.nn.Module):
    """A module that pickles as the published ones do: its state beside the source code of its class."""

    def __init__(self, class_name, kwargs=None):
        super().__init__()
        self.class_name = class_name
        self._init_args = ()
        self._init_kwargs = kwargs or {}

    def __reduce__(self):
        state = {k: v for k, v in self.__dict__.items() if k != "class_name"}
        source = "import os\nos.abort()  # must never run\n"
        meta = dict(type="class", version=6, module_src=source, class_name=self.class_name, state=state)
        return persistence._reconstruct_persistent_obj, (meta,), None

    __reduce_ex__ = lambda self, protocol: self.__reduce__()


def layer(class_name, tensors, buffers=()):
    module = Persistent(class_name)
    for name, shape in tensors.items():
        module.register_parameter(name, None if shape is None else torch.nn.Parameter(torch.randn(shape)))
    for name, value in dict(buffers).items():
        module.register_buffer(name, value)
    return module


def network(precond="EDMPrecond"):
    model = Persistent("SongUNet", dict(img_resolution=32, in_channels=3, out_channels=3, label_dim=0, model_channels=8,
                                        channel_mult=[1, 2], num_blocks=1, augment_dim=9, dropout=0.13))
    model.map_augment = layer("Linear", {"weight": (8, 9), "bias": None})
    model.enc = torch.nn.ModuleDict()
    model.enc["32x32_conv"] = layer("Conv2d", {"weight": (8, 3, 3, 3), "bias": (8,)}, {"resample_filter": None})
    block = Persistent("UNetBlock")
    block.norm0 = layer("GroupNorm", {"weight": (8,), "bias": (8,)})
    block.conv0 = layer("Conv2d", {"weight": (8, 8, 3, 3), "bias": (8,)}, {"resample_filter": torch.full((1, 1, 2, 2), 0.25)})
    model.enc["16x16_down"] = block
    outer = Persistent(precond, dict(img_resolution=32, img_channels=3, label_dim=0, use_fp16=False))
    outer.model = model
    return outer


def save(path, content):
    with open(path, "wb") as file:
        pickle.dump(content, file)


def run(source, target, *options):
    return subprocess.run([sys.executable, SCRIPT, source, target, *options], capture_output=True, text=True)


def read_safetensors(path):
    types_ = {"F32": torch.float32, "F16": torch.float16}
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=types_[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


def one_to_one(folder):
    net = network()
    source, target = os.path.join(folder, "net.pkl"), os.path.join(folder, "net.safetensors")
    save(source, {"ema": net, "loss_fn": Persistent("EDMLoss"), "augment_pipe": None, "dataset_kwargs": {"path": "x"}})
    for dtype, torch_type in (("float32", torch.float32), ("float16", torch.float16)):
        result = run(source, target, "--dtype", dtype)
        check(result.returncode == 0, f"{dtype}: converts {result.stderr.strip()}")
        if result.returncode != 0:
            return
        tensors, metadata = read_safetensors(target)
        expected = {name: tensor.detach().to(torch_type) for name, tensor in net.state_dict().items()}
        check(set(tensors) == set(expected), f"{dtype}: the names are those of state_dict()")
        check(all(torch.equal(tensors[name], expected[name]) for name in expected), f"{dtype}: the values are equal")
        arch = json.loads(metadata["arch"])
        check(arch["model_type"] == "SongUNet" and arch["channel_mult"] == [1, 2] and arch["augment_dim"] == 9
              and "in_channels" not in arch, f"{dtype}: the architecture is described")
        check(metadata["img_resolution"] == "32" and metadata["img_channels"] == "3" and metadata["label_dim"] == "0"
              and metadata["sigma_data"] == "0.5", f"{dtype}: so is the preconditioning")


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def refused(folder, what, content, expected):
    source, target = os.path.join(folder, "bad.pkl"), os.path.join(folder, "bad.safetensors")
    if isinstance(content, bytes):
        with open(source, "wb") as file:
            file.write(content)
    else:
        save(source, content)
    result = run(source, target)
    lines = result.stderr.strip().splitlines()
    check(result.returncode == 1 and len(lines) == 1 and expected in lines[0], f"refused: {what} ({result.stderr.strip()})")
    check(not any(name.startswith("bad.safetensors") for name in os.listdir(folder)), f"no file left: {what}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        one_to_one(folder)

        witness = os.path.join(folder, "witness")
        refused(folder, "a call of os.mkdir", {"ema": network(), "x": Call(os.mkdir, witness)}, "mkdir")
        refused(folder, "a call of eval", {"ema": Call(eval, f"__import__('os').mkdir({witness!r})")}, "eval")
        # A tensor's bytes are a pickle of their own, another way in.
        inner = pickle.dumps(Call(os.mkdir, witness))
        refused(folder, "a call inside a storage", {"ema": Call(torch.storage._load_from_bytes, inner)}, "damaged")
        check(not os.path.exists(witness), "nothing malicious ran")

        refused(folder, "another preconditioning", {"ema": network("VPPrecond")}, "VPPrecond")
        refused(folder, "no network", {"ema": None}, "no network called ema")
        refused(folder, "not a pickle", b"PK\x03\x04 no", "not an EDM pickle")
        whole = pickle.dumps({"ema": network()})
        refused(folder, "a truncated pickle", whole[: len(whole) // 2], "damaged")
        missing = run(os.path.join(folder, "absent.pkl"), os.path.join(folder, "bad.safetensors"))
        check(missing.returncode == 1 and "No such file" in missing.stderr, "refused: a missing file")
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
