#!/usr/bin/env python3
"""Exports a network and writes its description, for `--model NAME.json` of the commands.

    export_model.py fashion_mnist.safetensors fashion_mnist.json --class 3
    export_model.py stable-diffusion-folder unet.json --condition encoder_hidden_states=prompt.npy,empty.npy
    export_model.py unet-folder unet.json --scheduler scheduler_config.json --format torchscript

SOURCE is a network of EDM as the commands read it (.safetensors), a pipeline's folder of diffusers (with its `unet` or
`transformer` and its scheduler), or the folder of one such model. The network's second output, the feature, is the mean of
the bottleneck's channels where there is a bottleneck. Needs PyTorch 2.6 or later; for ONNX onnxscript, for folders
diffusers.
"""

import argparse
import json
import pathlib
import shutil
import sys

import torch
from torch import nn

import edm_network

FORMATS = {"onnx": ".onnx", "torchscript": ".pt", "pt2": ".pt2"}


class Refused(Exception):
    """What was asked for cannot be exported, for the reason in the one-line message."""


class Exported(nn.Module):
    """(x, label, conditions...) -> output[, feature], of a model of diffusers."""

    def __init__(self, model, conditions):
        super().__init__()
        self.model, self.conditions, self.feature = model, conditions, None
        middle = getattr(model, "mid_block", None)
        self.has_feature = middle is not None
        if self.has_feature:
            middle.register_forward_hook(self.keep)

    def keep(self, module, arguments, output):
        self.feature = (output[0] if isinstance(output, tuple) else output).mean(1).flatten(1)

    def forward(self, x, label, *conditions):
        output = self.model(x, timestep=label, **dict(zip(self.conditions, conditions)), return_dict=False)[0]
        return (output, self.feature) if self.has_feature else output


def condition_of(text):
    """NAME=VALUES.npy[,UNCONDITIONAL.npy]"""
    name, _, files = text.partition("=")
    values, _, unconditional = files.partition(",")
    if not name or not values:
        raise argparse.ArgumentTypeError(f"{text}; allowed: NAME=VALUES.npy or NAME=VALUES.npy,UNCONDITIONAL.npy")
    return {"input": name, "values": values, **({"unconditional": unconditional} if unconditional else {})}


def load_edm(source, chosen_class, folder, stem):
    """Returns the network, its example inputs, and its entries of the description."""
    tensors, metadata = edm_network.read_safetensors(source)
    network = edm_network.Unet(tensors, metadata)
    shape = [network.channels, network.resolution, network.resolution]
    entries = {"sample_shape": shape, "predicts": "edm", "process": {"kind": "edm", "sigma_data": network.sigma_data},
               "label": {"name": "noise"}}
    inputs = [torch.zeros(2, *shape), torch.zeros(2)]
    if network.classes:
        import numpy
        rows = numpy.zeros((2, 1, network.classes), numpy.float32)
        if chosen_class is not None:
            if not 0 <= chosen_class < network.classes:
                raise Refused(f"--class is {chosen_class}; allowed: 0 to {network.classes - 1}")
            rows[0, 0, chosen_class] = 1
        names = [f"{stem}_class.npy", f"{stem}_no_class.npy"]
        for name, row in zip(names, rows):
            numpy.save(folder / name, row)
        inputs.append(torch.zeros(2, network.classes))
        entries["conditions"] = [{"input": "labels", "values": names[0], "unconditional": names[1]}]
    return network, inputs, entries


def load_diffusers(source, options, folder, stem):
    import diffusers
    import numpy
    diffusers.logging.set_verbosity_error()
    part = next((source / name for name in ("unet", "transformer") if (source / name).is_dir()), source)
    config = json.loads((part / "config.json").read_text())
    model = getattr(diffusers, config["_class_name"]).from_pretrained(part, torch_dtype=torch.float32)
    scheduler = pathlib.Path(options.scheduler) if options.scheduler else source / "scheduler/scheduler_config.json"
    if not scheduler.is_file():
        raise Refused(f"{scheduler} is no file; allowed: a pipeline's folder, or --scheduler")
    shutil.copyfile(scheduler, folder / f"{stem}_scheduler.json")
    if options.sample_shape:
        shape = options.sample_shape
    else:
        size = config.get("sample_size")
        if not isinstance(size, int):
            raise Refused(f"sample_size is {size}; allowed: a number, or --sample-shape")
        shape = [config["in_channels"], size, size]
    conditions = options.condition
    arrays = [numpy.load(one["values"]) for one in conditions]
    rows = [torch.from_numpy(a).expand(2, *a.shape[1:]) if a.shape[0] == 1 else torch.from_numpy(a[:2]) for a in arrays]
    for one in conditions:
        for key in ("values", "unconditional"):
            if key in one:
                target = folder / f"{stem}_{one['input']}_{key}.npy"
                shutil.copyfile(one[key], target)
                one[key] = target.name
    network = Exported(model, [one["input"] for one in conditions])
    entries = {"sample_shape": shape, "scheduler": f"{stem}_scheduler.json", "label": {"name": "label"}}
    if conditions:
        entries["conditions"] = conditions
    return network, [torch.zeros(2, *shape), torch.ones(2), *rows], entries


def export(network, inputs, names, outputs, path, kind, batch):
    """Writes the network; `batch` samples of each run, or 0: any number."""
    if batch:
        inputs = [one[:1].expand(batch, *one.shape[1:]).contiguous() for one in inputs]
    inputs = tuple(one.contiguous() for one in inputs)
    if kind == "torchscript":
        torch.jit.trace(network, inputs, check_trace=False).save(str(path))
        return
    axis = {} if batch else {0: torch.export.Dim.DYNAMIC}
    shapes = None if batch else tuple(axis for _ in inputs)
    if isinstance(network, Exported) and shapes:
        shapes = (axis, axis, tuple(axis for _ in inputs[2:]))
    if kind == "onnx":
        torch.onnx.export(network, inputs, dynamo=True, external_data=False, input_names=names, output_names=outputs,
                          dynamic_shapes=shapes, verbose=False).save(path)
    else:
        program = torch.export.export(network, inputs, dynamic_shapes=shapes)
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("description", type=pathlib.Path, help="file to write (.json); the network goes beside it")
    parser.add_argument("--format", choices=FORMATS, default="onnx")
    parser.add_argument("--batch", type=int, default=0, help="samples of each run; 0: any number (default)")
    parser.add_argument("--class", dest="chosen_class", type=int, help="of an EDM network with classes")
    parser.add_argument("--scheduler", help="scheduler_config.json, where the folder has none")
    parser.add_argument("--condition", type=condition_of, action="append", default=[],
                        help="a further input of a model of diffusers: NAME=VALUES.npy[,UNCONDITIONAL.npy]")
    parser.add_argument("--sample-shape", type=lambda text: [int(n) for n in text.split(",")],
                        help="extents of a sample, such as 4,64,64; by default those of the model")
    options = parser.parse_args()
    try:
        if options.description.suffix != ".json":
            raise Refused(f"description is {options.description}; allowed: files .json")
        if not options.source.exists():
            raise Refused(f"{options.source}: no such file or folder")
        folder, stem = options.description.parent, options.description.stem
        torch.set_grad_enabled(False)
        if options.source.is_dir():
            network, inputs, entries = load_diffusers(options.source, options, folder, stem)
        else:
            network, inputs, entries = load_edm(options.source, options.chosen_class, folder, stem)
        network.eval()
        names = ["x", entries["label"]["name"], *(one["input"] for one in entries.get("conditions", []))]
        has_feature = getattr(network, "has_feature", True)
        outputs = ["output", "feature"] if has_feature else ["output"]
        path = folder / (stem + FORMATS[options.format])
        export(network, inputs, names, outputs, path, options.format, options.batch)
        named = options.format == "onnx"
        entries["label"].update({} if named else {"type": "F32"})
        entries["input"] = {"name": "x"}
        entries["output"] = "output" if named else 0
        if has_feature:
            entries["feature"] = "feature" if named else 1
        if options.batch and not named:
            entries["batch"] = options.batch
        description = {"format": "fewstep model 1", "network": path.name, **entries}
        options.description.write_text(json.dumps(description, indent=1) + "\n")
    except (Refused, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {path} and {options.description}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
