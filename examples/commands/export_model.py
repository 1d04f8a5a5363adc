#!/usr/bin/env python3
"""Exports a network and writes its description, for `--model NAME.json` of the commands.

    export_model.py fashion_mnist.safetensors fashion_mnist.json --class 3
    export_model.py stable-diffusion-folder unet.json --condition encoder_hidden_states=prompt.npy,empty.npy
    export_model.py unet-folder unet.json --scheduler scheduler_config.json --format torchscript
    export_model.py stable-diffusion-folder decoder.json --decoder
    export_model.py dit-folder dit.json --class 207

SOURCE is a network of EDM as the commands read it (.safetensors), a pipeline's folder of diffusers (with its `unet` or
`transformer` and its scheduler), or the folder of one such model. The network's second output, the feature, is the mean of
the bottleneck's channels where there is a bottleneck. A learned variance is left out. Needs PyTorch 2.6 or later; for ONNX
onnxscript, for folders diffusers.
"""

import argparse
import inspect
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
        self.model, self.conditions, self.feature = model, list(conditions), None
        middle = getattr(model, "mid_block", None)
        self.has_feature = middle is not None
        if self.has_feature:
            middle.register_forward_hook(self.keep)

    def keep(self, module, arguments, output):
        self.feature = (output[0] if isinstance(output, tuple) else output).mean(1).flatten(1)

    def forward(self, x, label, *conditions):
        output = self.model(x, timestep=label, **dict(zip(self.conditions, conditions)), return_dict=False)[0]
        channels = x.shape[1]
        if output.shape[1] == 2 * channels:
            output = output[:, :channels]  # the others are the learned variance
        return (output, self.feature) if self.has_feature else output


class Decoder(nn.Module):
    """latents -> pictures, of a VAE of diffusers: with the scale and shift that pipelines apply before it."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae
        self.scale, self.shift = vae.config.scaling_factor, getattr(vae.config, "shift_factor", None) or 0.0

    def forward(self, latents):
        return self.vae.decode(latents / self.scale + self.shift, return_dict=False)[0]


def condition_of(text):
    """NAME=VALUES.npy[,UNCONDITIONAL.npy]"""
    name, _, files = text.partition("=")
    values, _, unconditional = files.partition(",")
    if not name or not values:
        raise argparse.ArgumentTypeError(f"{text}; allowed: NAME=VALUES.npy or NAME=VALUES.npy,UNCONDITIONAL.npy")
    return name, {"values": values, **({"unconditional": unconditional} if unconditional else {})}


def read_values(path):
    """Returns the array of a .npy file in the types of models: float32, int64, bool."""
    import numpy
    try:
        array = numpy.load(path)
    except (ValueError, EOFError) as error:
        raise Refused(f"{path}: {error}") from error
    if not isinstance(array, numpy.ndarray) or array.dtype.kind not in "fiub":
        raise Refused(f"{path} has other data; allowed: an array of numbers")
    if array.ndim == 0 or array.shape[0] == 0:
        raise Refused(f"{path} has shape {list(array.shape)}; allowed: one row for all samples, or one per sample")
    types = {"f": numpy.float32, "i": numpy.int64, "u": numpy.int64, "b": numpy.bool_}
    return numpy.ascontiguousarray(array, types[array.dtype.kind])


def class_table_of(model):
    """Returns the table of a model that takes class ids, and the id for no class; None where there is none."""
    table = getattr(model, "class_embedding", None)
    if isinstance(table, nn.Embedding):
        return table, None  # whether an id stands for no class is known to whoever trained the model
    for module in model.modules():
        if type(module).__name__ == "LabelEmbedding":  # DiT's, with a row for no class unless trained without dropout
            table = module.embedding_table
            return table, module.num_classes if table.num_embeddings > module.num_classes else None
    return None, None


def check_condition(name, arrays, table):
    """Refuses unconditional values that do not fit, and class ids that are not in the table."""
    dtype, shape = arrays["values"].dtype, list(arrays["values"].shape[1:])
    for key, array in arrays.items():
        if array.dtype != dtype or list(array.shape[1:]) != shape:
            raise Refused(f"the {key} {name} has rows {array.dtype} {list(array.shape[1:])}; allowed: {dtype} {shape}")
        if name != "class_labels" or table is None:
            continue
        last = table.num_embeddings - 1
        if array.dtype.kind != "i" or array.ndim != 1 or array.min() < 0 or array.max() > last:
            raise Refused(f"class_labels is {array.dtype} {list(array.shape)} from {array.min()} to {array.max()}; "
                          f"allowed: one integer per row, 0 to {last}")


def conditions_of(model, options):
    """Returns {input: {"values": array, "unconditional": array}}; some have no unconditional values."""
    import numpy
    conditions = {name: {key: read_values(path) for key, path in files.items()} for name, files in options.condition}
    if len(conditions) < len(options.condition):
        raise Refused("--condition is given twice for an input; allowed: once per input")
    table, no_class = class_table_of(model)
    if options.no_class is not None:
        no_class = options.no_class
        if options.chosen_class is None:
            raise Refused(f"--no-class is {no_class}; allowed: with --class")
    if options.chosen_class is not None:
        if table is None or "class_labels" in conditions:
            raise Refused(f"--class is {options.chosen_class}; allowed: for a model with class ids, without --condition "
                          "class_labels")
        ids = {"values": options.chosen_class, **({} if no_class is None else {"unconditional": no_class})}
        conditions["class_labels"] = {key: numpy.array([one], numpy.int64) for key, one in ids.items()}
    if table is not None and "class_labels" not in conditions:
        raise Refused("class_labels is missing; allowed: --class ID, or --condition class_labels=IDS.npy")
    parameters = [name for name in inspect.signature(model.forward).parameters if name not in ("timestep", "return_dict")]
    for name, arrays in conditions.items():
        if name not in parameters[1:]:
            raise Refused(f"--condition is {name}; allowed: {', '.join(parameters[1:])}")
        check_condition(name, arrays, table)
    return conditions


def load_edm(source, chosen_class, folder, stem):
    """Returns the network, its example inputs, and its entries of the description."""
    tensors, metadata = edm_network.read_safetensors(source)
    kind = json.loads(metadata.get("arch", "{}")).get("model_type", "SongUNet")
    if kind not in ("SongUNet", "DhariwalUNet"):
        raise Refused(f"the network's model_type is {kind}; allowed: SongUNet, DhariwalUNet")
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
    if not (part / "config.json").is_file():
        raise Refused(f"{part} has no config.json; allowed: the folder of a pipeline or of its unet or transformer")
    config = json.loads((part / "config.json").read_text())
    model_class = getattr(diffusers, str(config.get("_class_name")), None)
    if not (isinstance(model_class, type) and issubclass(model_class, diffusers.ModelMixin)):
        raise Refused(f"_class_name is {config.get('_class_name')}; allowed: models of diffusers {diffusers.__version__}")
    model = model_class.from_pretrained(part, torch_dtype=torch.float32)
    scheduler = pathlib.Path(options.scheduler) if options.scheduler else source / "scheduler/scheduler_config.json"
    if not scheduler.is_file():
        raise Refused(f"{scheduler} is no file; allowed: a pipeline's folder, or --scheduler")
    if options.sample_shape:
        shape = options.sample_shape
    else:
        size, channels = config.get("sample_size"), config.get("in_channels")
        if not isinstance(size, int) or not isinstance(channels, int):
            raise Refused(f"sample_size is {size}, in_channels {channels}; allowed: numbers, or --sample-shape")
        shape = [channels, size, size]
    conditions = conditions_of(model, options)
    network = Exported(model, conditions).eval()
    inputs = [torch.zeros(2, *shape), torch.ones(2)]
    for arrays in conditions.values():
        rows = torch.from_numpy(arrays["values"])
        inputs.append(rows[:2] if len(rows) > 1 else rows.expand(2, *rows.shape[1:]))
    check_runs(network, inputs)

    shutil.copyfile(scheduler, folder / f"{stem}_scheduler.json")
    entries = {"sample_shape": shape, "scheduler": f"{stem}_scheduler.json", "label": {"name": "label"}}
    for name, arrays in conditions.items():
        files = {key: f"{stem}_{name}_{key}.npy" for key in arrays}
        for key, array in arrays.items():
            numpy.save(folder / files[key], array)
        entries.setdefault("conditions", []).append({"input": name, **files})
    return network, inputs, entries


def load_decoder(source, options):
    """Returns the decoder of a pipeline's folder, example latents, and its entries of the description."""
    import diffusers
    diffusers.logging.set_verbosity_error()
    part = source / "vae" if (source / "vae").is_dir() else source
    if not (part / "config.json").is_file():
        raise Refused(f"{part} has no config.json; allowed: the folder of a pipeline or of its vae")
    vae = diffusers.AutoencoderKL.from_pretrained(part, torch_dtype=torch.float32)
    sides = [json.loads(path.read_text()).get("sample_size") for name in ("unet", "transformer")
             if (path := source / name / "config.json").is_file()]
    if not options.sample_shape and not (sides and isinstance(sides[0], int)):
        raise Refused("--sample-shape is missing; allowed: extents of the latents, such as 4,64,64")
    shape = options.sample_shape or [vae.config.latent_channels, sides[0], sides[0]]
    if len(shape) != 3 or shape[0] != vae.config.latent_channels:
        raise Refused(f"--sample-shape is {shape}; allowed: {vae.config.latent_channels}, height, width")
    return Decoder(vae), [torch.zeros(2, *shape)], {"sample_shape": shape}


def write_decoder(source, options):
    """Writes a decoder and its description."""
    others = {"--class": options.chosen_class, "--no-class": options.no_class, "--scheduler": options.scheduler,
              "--condition": options.condition or None}
    for name, value in others.items():
        if value is not None:
            raise Refused(f"{name} is {value}; allowed: without --decoder")
    if options.format == "pt2" or not source.is_dir():
        raise Refused("--decoder is given; allowed: with a folder of diffusers, in ONNX or TorchScript")
    network, inputs, entries = load_decoder(source, options)
    path = options.description.with_suffix(FORMATS[options.format])
    try:
        export(network.eval(), inputs, ["latents"], ["pictures"], path, options.format, options.batch)
    except Exception as error:  # whatever an exporter raises
        raise Refused(f"{source} was not exported to {options.format}: {first_line(error)}") from error
    description = {"format": "fewstep decoder 1", "network": path.name, **entries}
    options.description.write_text(json.dumps(description, indent=1) + "\n")
    return path


def check_runs(network, inputs):
    """Refuses a model that needs other inputs, or whose output is no sample."""
    try:
        outputs = network(*inputs)
    except Exception as error:  # whatever a model of diffusers raises
        raise Refused(f"{type(network.model).__name__} cannot be run with its conditions "
                      f"({', '.join(network.conditions) or 'none'}): {first_line(error)}") from error
    shape = list((outputs[0] if network.has_feature else outputs).shape)
    if shape != list(inputs[0].shape):
        raise Refused(f"the output for samples {list(inputs[0].shape)} is {shape}; allowed: as the samples")


def first_line(error):
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def without_origin(model):
    """Clears what the exporter notes about the code: stack traces with paths, names of modules."""
    from onnxscript import ir
    model.metadata_props.clear()
    model.doc_string = None
    for graph in (model.graph, *model.functions.values()):
        parts = [graph, *graph.inputs, *graph.outputs, *getattr(graph, "initializers", {}).values()]
        for node in ir.traversal.RecursiveGraphIterator(graph):
            parts += [node, *node.outputs]
        for part in parts:
            part.metadata_props.clear()
            part.doc_string = None


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
        program = torch.onnx.export(network, inputs, dynamo=True, external_data=False, input_names=names,
                                    output_names=outputs, dynamic_shapes=shapes, verbose=False)
        without_origin(program.model)
        program.save(path)
    else:
        program = torch.export.export(network, inputs, dynamic_shapes=shapes)
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("description", type=pathlib.Path, help="file to write (.json); the network goes beside it")
    parser.add_argument("--format", choices=FORMATS, default="onnx")
    parser.add_argument("--batch", type=int, default=0, help="samples of each run; 0: any number (default)")
    parser.add_argument("--class", dest="chosen_class", type=int, help="of a network with classes")
    parser.add_argument("--no-class", type=int,
                        help="id for unconditional samples, for a model of diffusers; by default that of DiT")
    parser.add_argument("--scheduler", help="scheduler_config.json, where the folder has none")
    parser.add_argument("--condition", type=condition_of, action="append", default=[],
                        help="a further input of a model of diffusers: NAME=VALUES.npy[,UNCONDITIONAL.npy]")
    parser.add_argument("--decoder", action="store_true",
                        help="the decoder of a pipeline's VAE, for `sample --decoder`, in place of its network")
    parser.add_argument("--sample-shape", type=lambda text: [int(n) for n in text.split(",")],
                        help="extents of a sample, such as 4,64,64; by default those of the model")
    options = parser.parse_args(arguments)
    try:
        if options.description.suffix != ".json":
            raise Refused(f"description is {options.description}; allowed: files .json")
        if not options.source.exists():
            raise Refused(f"{options.source}: no such file or folder")
        folder, stem = options.description.parent, options.description.stem
        torch.set_grad_enabled(False)
        if options.decoder:
            print(f"wrote {write_decoder(options.source, options)} and {options.description}")
            return 0
        if options.source.is_dir():
            network, inputs, entries = load_diffusers(options.source, options, folder, stem)
        else:
            if options.condition or options.scheduler or options.sample_shape or options.no_class is not None:
                raise Refused("--condition, --scheduler, --sample-shape or --no-class is given; allowed: with a folder")
            network, inputs, entries = load_edm(options.source, options.chosen_class, folder, stem)
        network.eval()
        names = ["x", entries["label"]["name"], *(one["input"] for one in entries.get("conditions", []))]
        has_feature = getattr(network, "has_feature", True)
        outputs = ["output", "feature"] if has_feature else ["output"]
        path = folder / (stem + FORMATS[options.format])
        try:
            export(network, inputs, names, outputs, path, options.format, options.batch)
        except Exception as error:  # whatever an exporter raises
            raise Refused(f"{options.source} was not exported to {options.format}: {first_line(error)}") from error
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
