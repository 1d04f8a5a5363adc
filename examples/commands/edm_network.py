"""EDM's networks (Karras et al. 2022, arXiv 2206.00364) in PyTorch, from the safetensors files that the commands read."""

import json
import math
import struct

import torch
from torch import nn
from torch.nn import functional as F

TYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}
DEFAULTS = {"model_type": "SongUNet", "embedding_type": "positional", "encoder_type": "standard",
            "resample_filter": [1, 1], "model_channels": 128, "channel_mult": [1, 2, 2, 2], "num_blocks": 4,
            "channel_mult_noise": 1, "attn_resolutions": [16]}
ADM_DEFAULTS = {"model_channels": 192, "channel_mult": [1, 2, 3, 4], "num_blocks": 3, "attn_resolutions": [32, 16, 8]}


def read_safetensors(path):
    """Returns the tensors, in float32, and the metadata."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[entry["dtype"]])
        tensors[name] = raw.reshape(entry["shape"]).float()
    return tensors, metadata


class Unet(nn.Module):
    """F of an EDM network: (x [B, C, H, W], ln(sigma)/4 [B], labels [B, classes]) -> F, mean of the bottleneck's channels.

    A network without classes takes no labels. The layers are functions of the weights' published names.
    """

    def __init__(self, tensors, metadata):
        super().__init__()
        arch = json.loads(metadata.get("arch", "{}"))
        self.adm = arch.get("model_type") == "DhariwalUNet"
        self.arch = {**DEFAULTS, **(ADM_DEFAULTS if self.adm else {}), **arch}
        self.resolution, self.channels = int(metadata["img_resolution"]), int(metadata["img_channels"])
        self.classes, self.sigma_data = int(metadata.get("label_dim", 0)), float(metadata.get("sigma_data", 0.5))
        self.epsilon, self.scale = (1e-5, 1.0) if self.adm else (1e-6, math.sqrt(0.5))
        for name, tensor in tensors.items():
            self.register_buffer(name.removeprefix("model.").replace(".", "_"), tensor)

    def weight(self, name):
        return self._buffers.get(name)

    def linear(self, name, x):
        return F.linear(x, self.weight(name + "_weight"), self.weight(name + "_bias"))

    def norm(self, name, x):
        groups = min(32, x.shape[1] // 4)
        return F.group_norm(x, groups, self.weight(name + "_weight"), self.weight(name + "_bias"), self.epsilon)

    def filtered(self, x, up, padding):
        taps = torch.tensor(self.arch["resample_filter"], dtype=torch.float32)
        taps = torch.outer(taps, taps) / taps.sum() ** 2
        kernel = taps[None, None].repeat(x.shape[1], 1, 1, 1)
        if up:
            return F.conv_transpose2d(x, kernel * 4, stride=2, padding=padding, groups=x.shape[1])
        return F.conv2d(x, kernel, stride=2, padding=padding, groups=x.shape[1])

    def conv(self, name, x, resample=None, filter_last=False):
        """A convolution, with a change of resolution by two (resample: "up" or "down") before it or, else, after it."""
        weight, bias = self.weight(name + "_weight"), self.weight(name + "_bias")
        padding = 0 if weight is None else weight.shape[-1] // 2
        overhang = (len(self.arch["resample_filter"]) - 1) // 2 if resample else 0
        if filter_last:
            return self.filtered(F.conv2d(x, weight, bias, padding=padding + overhang), resample == "up", 0)
        if resample:
            x = self.filtered(x, resample == "up", overhang)
        return x if weight is None else F.conv2d(x, weight, bias, padding=padding)

    def attended(self, name, x):
        qkv = self.conv(name + "_qkv", self.norm(name + "_norm2", x))
        heads = max(1, x.shape[1] // 64) if self.adm else 1
        channels = x.shape[1] // heads
        query, key, value = qkv.reshape(-1, channels, 3, x.shape[2] * x.shape[3]).unbind(2)
        weights = torch.softmax(query.transpose(1, 2) @ (key / math.sqrt(channels)), -1)
        return (value @ weights.transpose(1, 2)).reshape(-1, x.shape[1], x.shape[2], x.shape[3])

    def block(self, name, x, embedding, resample=None):
        y = self.conv(name + "_conv0", F.silu(self.norm(name + "_norm0", x)), resample)
        shift = self.linear(name + "_affine", embedding)[:, :, None, None]
        if self.adm:
            scale, shift = shift.chunk(2, 1)
            y = self.norm(name + "_norm1", y) * (scale + 1) + shift
        else:
            y = self.norm(name + "_norm1", y + shift)
        y = self.conv(name + "_conv1", F.silu(y))
        has_skip = resample or self.weight(name + "_skip_weight") is not None
        y = (y + (self.conv(name + "_skip", x, resample) if has_skip else x)) * self.scale
        if self.weight(name + "_qkv_weight") is not None:
            y = (y + self.conv(name + "_proj", self.attended(name, y))) * self.scale
        return y

    def encoded(self, x, embedding):
        """Returns the outputs of all stages of the encoder."""
        arch, outputs, image = self.arch, [], x
        for level, _ in enumerate(arch["channel_mult"]):
            side = self.resolution >> level
            stage = f"enc_{side}x{side}_"
            if level == 0:
                x = self.conv(stage + "conv", x)
            else:
                x = self.block(stage + "down", x, embedding, "down")
                if not self.adm and arch["encoder_type"] == "residual":
                    image = x = (x + self.conv(stage + "aux_residual", image, "down", True)) * math.sqrt(0.5)
            outputs.append(x)
            for i in range(arch["num_blocks"]):
                x = self.block(f"{stage}block{i}", x, embedding)
                outputs.append(x)
        return outputs

    def decoded(self, skips, embedding):
        x, last = skips[-1], len(self.arch["channel_mult"]) - 1
        for level in range(last, -1, -1):
            side = self.resolution >> level
            stage = f"dec_{side}x{side}_"
            if level == last:
                x = self.block(stage + "in1", self.block(stage + "in0", x, embedding), embedding)
            else:
                x = self.block(stage + "up", x, embedding, "up")
            for i in range(self.arch["num_blocks"] + 1):
                x = self.block(f"{stage}block{i}", torch.cat([x, skips.pop()], 1), embedding)
        out = "out_" if self.adm else f"dec_{self.resolution}x{self.resolution}_aux_"
        return self.conv(out + "conv", F.silu(self.norm(out + "norm", x)))

    def forward(self, x, noise, labels=None):
        embedding = self.embedded(noise, labels)
        outputs = self.encoded(x, embedding)
        return self.decoded(list(outputs), embedding), outputs[-1].mean(1)

    def embedded(self, noise, labels):
        half = self.arch["model_channels"] * (1 if self.adm else self.arch["channel_mult_noise"]) // 2
        if not self.adm and self.arch["embedding_type"] == "fourier":
            frequencies = self.weight("map_noise_freqs") * (2 * math.pi)
        else:
            frequencies = 1e-4 ** (torch.arange(half, dtype=torch.float32) / (half if self.adm else half - 1))
        angles = noise[:, None] * frequencies[None]
        x = torch.cat([angles.cos(), angles.sin()] if self.adm else [angles.sin(), angles.cos()], 1)
        if self.classes and not self.adm:
            x = x + self.linear("map_label", labels * math.sqrt(self.classes))
        x = self.linear("map_layer1", F.silu(self.linear("map_layer0", x)))
        if self.classes and self.adm:
            x = x + self.linear("map_label", labels)
        return F.silu(x)
