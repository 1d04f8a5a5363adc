#!/usr/bin/env python3
"""Converts a published EDM network (a .pkl with an `ema` entry) to safetensors, tensor for tensor, name for name.

    convert_edm.py edm-cifar10-32x32-uncond-vp.pkl cifar10.safetensors [--dtype float16]

A pickle is a program; the published ones even carry the source code of their classes. None of it runs here: every object
becomes an inert record, the only functions that a file may call are those below that rebuild a tensor from its bytes, and
anything else is rejected. Needs PyTorch >= 1.13, and none of EDM's own code.
"""

import argparse
import collections
import ctypes
import io
import json
import os
import pickle
import struct
import sys
import warnings

import torch

DTYPES = {
    "float16": (torch.float16, "F16"),
    "bfloat16": (torch.bfloat16, "BF16"),
    "float32": (torch.float32, "F32"),
}


class Refused(Exception):
    """The file is rejected, for the reason in the one-line message."""


class Inert:
    """Stands in for an object of any other class: keeps its arguments and state and does nothing."""

    def __init__(self, *args, **kwargs):
        self.args = args
        self.state = {}

    def __setstate__(self, state):
        self.state = state

    # Containers among the inert classes are filled item by item.
    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass


class Dictionary(dict):
    """Stands in for EDM's dictionary with attribute access, which is not needed here."""


class PersistentObject(Inert):
    """An object pickled together with its class's source, which stays a string."""

    def __init__(self, meta):
        super().__init__()
        if not isinstance(meta, dict):
            raise Refused("a persistent object without a description")
        self.class_name = meta.get("class_name")
        self.state = meta.get("state")


def load_storage(data):
    # torch.load with weights_only is PyTorch's own restricted unpickler.
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def rebuild_tensor(storage, offset, size, stride, *ignored):
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride)) + 1 if all(size) else 0
    if offset < 0 or any(n < 0 for n in (*size, *stride)) or len(size) != len(stride) or reach > storage.size():
        raise Refused("a tensor reaches beyond its storage")
    return torch._utils._rebuild_tensor(storage, offset, tuple(size), tuple(stride))


def rebuild_parameter(data, *ignored):
    return data


ALLOWED = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): PersistentObject,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch.storage", "_load_from_bytes"): load_storage,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("dnnlib.util", "EasyDict"): Dictionary,
    ("builtins", "set"): set,
    ("torch", "Size"): tuple,
}
INERT_MODULES = ("torch.nn.modules.", "numpy")
INERT_NAMES = {("torch", name) for name in ("float16", "float32", "float64", "bfloat16", "device")}


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        if module.startswith(INERT_MODULES) or (module, name) in INERT_NAMES:
            return Inert
        raise Refused(f"the pickle calls {module}.{name}, which a network does not need")

    def persistent_load(self, pid):
        raise Refused("the pickle refers to data outside itself")


def read_pickle(path):
    """The `ema` network of a published file, as a PersistentObject."""
    try:
        with open(path, "rb") as file:
            content = Unpickler(file).load()
    except OSError as error:
        raise Refused(error.strerror or "not readable") from None
    except Refused:
        raise
    except Exception as error:  # a damaged stream can raise any exception
        raise Refused(f"not an EDM pickle, or damaged ({type(error).__name__})") from None
    network = content.get("ema") if isinstance(content, dict) else None
    if not isinstance(network, PersistentObject) or not isinstance(network.state, dict):
        raise Refused("has no network called ema")
    return network


def named_tensors(module, prefix=""):
    """Parameters and buffers below a module, by the names that state_dict() would give them."""
    state = module.state if isinstance(module.state, dict) else {}
    for kind in ("_parameters", "_buffers"):
        for name, tensor in (state.get(kind) or {}).items():
            if tensor is not None:
                yield prefix + name, tensor
    for name, child in (state.get("_modules") or {}).items():
        if child is not None:
            yield from named_tensors(child, f"{prefix}{name}.")


def metadata_of(network):
    """What the C++ side needs to build the network, from the arguments that it was constructed with."""
    if network.class_name != "EDMPrecond":
        raise Refused(f"the network is a {network.class_name}, allowed: EDMPrecond")
    outer = dict(network.state.get("_init_kwargs") or {})
    model = (network.state.get("_modules") or {}).get("model")
    if not isinstance(model, PersistentObject):
        raise Refused("the network has no model")
    arch = dict(model.state.get("_init_kwargs") or {})
    for key in ("img_resolution", "in_channels", "out_channels", "label_dim"):
        arch.pop(key, None)
    arch = {"model_type": model.class_name, **arch}
    missing = [key for key in ("img_resolution", "img_channels") if key not in outer]
    if missing:
        raise Refused(f"the network has no {missing[0]}")
    try:
        return {
            "arch": json.dumps(arch),
            "img_resolution": str(int(outer["img_resolution"])),
            "img_channels": str(int(outer["img_channels"])),
            "label_dim": str(int(outer.get("label_dim", 0))),
            "sigma_data": str(float(outer.get("sigma_data", 0.5))),
        }
    except (TypeError, ValueError):
        raise Refused("the network's constructor arguments are not plain numbers") from None


def write_safetensors(path, tensors, metadata, dtype):
    """All tensors in one floating-point type; the file appears whole or not at all."""
    torch_type, type_name = DTYPES[dtype]
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().to(torch_type).contiguous()
        if not torch.isfinite(tensor).all():
            raise Refused(f"tensor {name} has values that are not finite as {dtype}")
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": type_name, "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        blobs.append(ctypes.string_at(tensor.data_ptr(), size) if size else b"")
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = f"{path}.part"
    try:
        with open(part, "wb") as file:
            file.write(struct.pack("<Q", len(text)))
            file.write(text)
            file.writelines(blobs)
        os.replace(part, path)
    except OSError as error:
        if os.path.exists(part):
            os.remove(part)
        raise Refused(f"cannot write {path}: {error.strerror}") from None


def convert(source, target, dtype="float32"):
    """Returns the number of tensors written. Raises Refused, leaving any older target as it was."""
    network = read_pickle(source)
    metadata = metadata_of(network)
    tensors = {}
    for name, tensor in named_tensors(network):
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            raise Refused(f"{name} is not a floating-point tensor")
        tensors[name] = tensor
    if not tensors:
        raise Refused("the network has no tensors")
    write_safetensors(target, tensors, metadata, dtype)
    return len(tensors)


def main():
    parser = argparse.ArgumentParser(description="Converts a published EDM pickle to safetensors.")
    parser.add_argument("source", help="the .pkl file")
    parser.add_argument("target", help="the .safetensors file to write")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32", help="type of the weights (float32)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # PyTorch's, about the age of the format
    try:
        count = convert(options.source, options.target, options.dtype)
    except Refused as reason:
        sys.exit(f"convert_edm: {options.source}: {reason}")
    print(f"wrote {options.target}: {count} tensors")


if __name__ == "__main__":
    main()
