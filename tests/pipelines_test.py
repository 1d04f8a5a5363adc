#!/usr/bin/env python3
"""Exported networks end where diffusers' pipelines end: same weights, latents, embeddings and classes.

    tests/pipelines_test.py FOLDER_OF_COMMANDS [--runtimes torchscript,pt2,onnx] [--all] [--libtorch VERSION]

Small random networks are exported by examples/commands/export_model.py and sampled by `sample --scheduler`. --all takes
every scheduler, network and runtime with 3, 5 and 20 steps; else a choice that ctest has time for. Exits with 77, which
ctest reports as skipped, where Python has no diffusers.

A distance is the largest difference relative to the largest magnitude of the pipeline's samples. Up to 1e-4 is right.
Some runs amplify rounding further: an untrained network's noise at alpha 0.006, clipped to pixels. There, a distance is
"rounding" up to three times what the pipeline's own samples move by when its latents change in their last bit.
"""

import argparse
import collections
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest.mock

root = pathlib.Path(__file__).resolve().parent.parent
SKIPPED, VERSION, TOLERANCE, SAMPLES, GUIDANCE = 77, "0.42.1", 1e-4, 3, 3.0
os.environ.pop("CXX", None)  # AOTInductor chooses its own compiler, when it is imported
try:
    import diffusers
    import numpy
    import torch
    import transformers  # noqa: F401  pipelines need it
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)
sys.path.insert(0, str(root / "examples/commands"))
import export_model  # noqa: E402

STABLE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
NOISE_SCHEDULERS = [
    ("EulerDiscreteScheduler", {"timestep_spacing": "leading", "steps_offset": 1}),
    ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    ("PNDMScheduler", {"skip_prk_steps": True, "steps_offset": 1}),
    ("DDIMScheduler", {"clip_sample": False, "steps_offset": 1}),
    ("UniPCMultistepScheduler", {}), ("DEISMultistepScheduler", {}), ("HeunDiscreteScheduler", {}),
    ("LMSDiscreteScheduler", {}), ("KDPM2DiscreteScheduler", {}),
    ("DPMSolverSinglestepScheduler", {"use_karras_sigmas": True}), ("EulerDiscreteScheduler", {"use_karras_sigmas": True}),
    ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver", "solver_order": 3, "final_sigmas_type": "sigma_min"})]
FLOW_SCHEDULERS = [("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}), ("FlowMatchHeunDiscreteScheduler", {"shift": 3.0}),
                   ("UniPCMultistepScheduler", {"use_flow_sigmas": True, "flow_shift": 3.0,
                                                "prediction_type": "flow_prediction"})]
# With settings of their own in place of STABLE.
OTHER_SCHEDULERS = [
    ("IPNDMScheduler", {}), ("EDMEulerScheduler", {}), ("EDMDPMSolverMultistepScheduler", {}),
    ("CogVideoXDDIMScheduler", {**STABLE, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True,
                                "timestep_spacing": "trailing"})]
PIXEL_SCHEDULERS = [
    ("DDIMScheduler", {}), ("DPMSolverMultistepScheduler", {"thresholding": True, "sample_max_value": 2.0}),
    ("UniPCMultistepScheduler", {"thresholding": True}), ("DEISMultistepScheduler", {}),
    ("DDIMScheduler", {"thresholding": True, "sample_max_value": 2.0, "timestep_spacing": "trailing"})]
CLASS_SCHEDULERS = [("DDIMScheduler", {"clip_sample": False}), ("DPMSolverMultistepScheduler", {}),
                    ("PNDMScheduler", {"skip_prk_steps": True})]


def vae(latent_channels=4):
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=latent_channels, norm_num_groups=4, shift_factor=0.0).eval()


def draw(shapes, generator):
    """Returns the conditions of a prompt and those without it, one row each."""
    return [{name: torch.randn(1, *shape, generator=generator) for name, shape in shapes.items()} for _ in range(2)]


def per_sample(rows):
    return {name: values.expand(SAMPLES, *values.shape[1:]) for name, values in rows.items()}


class TextUnet:
    """A text-conditioned latent U-Net, as in Stable Diffusion."""

    name, channels, every_runtime = "latent U-Net", 4, True
    schedulers = [(name, {**STABLE, "prediction_type": prediction, **settings})
                  for prediction in ("epsilon", "v_prediction") for name, settings in NOISE_SCHEDULERS] + OTHER_SCHEDULERS

    def __init__(self):
        self.model = diffusers.UNet2DConditionModel(
            sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(32, 64),
            norm_num_groups=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16, attention_head_dim=8).eval()

    def conditions(self, generator):
        return draw({"encoder_hidden_states": (5, 16)}, generator)

    def pipeline(self, scheduler, latents, steps, prompt, empty):
        pipeline = diffusers.StableDiffusionPipeline(
            vae=vae(), text_encoder=None, tokenizer=None, unet=self.model, scheduler=scheduler, safety_checker=None,
            feature_extractor=None, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        prompt, empty = per_sample(prompt), per_sample(empty)
        return pipeline(prompt_embeds=prompt["encoder_hidden_states"],
                        negative_prompt_embeds=empty["encoder_hidden_states"], latents=latents, num_inference_steps=steps,
                        guidance_scale=GUIDANCE, output_type="latent").images


class FlowTransformer:
    """A flow transformer, as in Stable Diffusion 3."""

    name, channels, every_runtime, schedulers = "flow transformer", 4, True, FLOW_SCHEDULERS

    def __init__(self):
        self.model = diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=4, joint_attention_dim=16, caption_projection_dim=32, pooled_projection_dim=12,
            pos_embed_max_size=8).eval()

    def conditions(self, generator):
        return draw({"encoder_hidden_states": (5, 16), "pooled_projections": (12,)}, generator)

    def pipeline(self, scheduler, latents, steps, prompt, empty):
        pipeline = diffusers.StableDiffusion3Pipeline(
            transformer=self.model, scheduler=scheduler, vae=vae(), text_encoder=None, tokenizer=None,
            text_encoder_2=None, tokenizer_2=None, text_encoder_3=None, tokenizer_3=None)
        pipeline.set_progress_bar_config(disable=True)
        prompt, empty = per_sample(prompt), per_sample(empty)
        return pipeline(prompt_embeds=prompt["encoder_hidden_states"],
                        negative_prompt_embeds=empty["encoder_hidden_states"],
                        pooled_prompt_embeds=prompt["pooled_projections"],
                        negative_pooled_prompt_embeds=empty["pooled_projections"], height=16, width=16, latents=latents,
                        num_inference_steps=steps, guidance_scale=GUIDANCE, output_type="latent").images


class KeptLatents(torch.nn.Module):
    """Stands for a VAE: keeps what it is to decode."""

    config, device = types.SimpleNamespace(scaling_factor=1.0), torch.device("cpu")

    def decode(self, latents):
        self.latents = latents
        return types.SimpleNamespace(sample=latents)


class ClassConditional:
    """A network of class ids, one per sample, in DiT's pipeline, whose id for no class is 1000."""

    def conditions(self, generator):
        return {"class_labels": torch.tensor([207, 0, 999])}, {"class_labels": torch.tensor([1000])}

    def pipeline(self, scheduler, latents, steps, classes, no_class):
        kept = KeptLatents()
        pipeline = diffusers.DiTPipeline(transformer=self.model, vae=kept, scheduler=scheduler)
        pipeline.set_progress_bar_config(disable=True)
        with unittest.mock.patch("diffusers.pipelines.dit.pipeline_dit.randn_tensor", return_value=latents):
            pipeline(class_labels=classes["class_labels"].tolist(), guidance_scale=GUIDANCE, num_inference_steps=steps,
                     output_type="pt")
        return kept.latents


class ClassUnet(ClassConditional):
    """A class-conditional U-Net of pixels. Its forward pass takes the arguments of DiT's."""

    name, channels, every_runtime, schedulers = "pixel U-Net", 3, True, PIXEL_SCHEDULERS

    def __init__(self):
        self.model = diffusers.UNet2DModel(
            sample_size=8, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(32, 64),
            norm_num_groups=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"), num_class_embeds=1001).eval()


class ClassTransformer(ClassConditional):
    """DiT, with a learned variance, which the pipeline and export_model.py leave out."""

    name, channels, every_runtime, schedulers = "DiT", 4, False, CLASS_SCHEDULERS

    def __init__(self):
        self.model = diffusers.DiTTransformer2DModel(
            sample_size=8, patch_size=2, in_channels=4, out_channels=8, num_layers=1, num_attention_heads=4,
            attention_head_dim=8).eval()


class Case:
    """A network, exported to each format, and its samples."""

    def __init__(self, folder, commands):
        self.folder, self.commands = folder, commands
        self.description = folder / "exported/model.json"
        self.description.parent.mkdir()

    def export(self, model, scheduler, arguments):
        """Returns the error message, empty without an error."""
        model.save_pretrained(self.folder / "model")
        scheduler.save_config(self.folder)
        message = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(message):
            failed = export_model.main([str(self.folder / "model"), str(self.description), "--scheduler",
                                        str(self.folder / "scheduler_config.json"), *map(str, arguments)])
        return message.getvalue() if failed else ""

    def sample(self, scheduler, steps):
        """Returns the samples, or the error message."""
        scheduler.save_config(self.folder)
        out = self.folder / "samples.npy"
        ran = subprocess.run([self.commands / "sample", "--model", self.description, "--scheduler",
                              self.folder / "scheduler_config.json", "--steps", str(steps), "--noise",
                              self.folder / "latents.npy", "--guidance", str(GUIDANCE), "--npy", out],
                             capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if ran.returncode:
            return ran.stderr.strip().splitlines()[-1]
        return numpy.load(out)


def scheduler_of(name, settings):
    return getattr(diffusers, name)(**settings)


def places_in(path):
    """Folders of this machine that a file names."""
    content = path.read_bytes()
    places = {root, pathlib.Path.home(), pathlib.Path(torch.__file__).parent, path.parent}
    return [str(place) for place in places if len(place.parts) > 1 and os.fsencode(place) in content]


def distance_of(samples, reference):
    return abs(samples - reference).max() / abs(reference).max()


def rounding_of(run, latents, samples):
    """Returns the largest distance of a pipeline's samples from those of latents that differ in the last bit."""
    return max(distance_of(run(latents * factor), samples) for factor in (1 + 2**-23, 1 - 2**-24))


def compare(case, subject, kind, every):
    """Returns what came of each run of a network: "right", "rounding", "refused" or "wrong", and the largest distance of
    a right one."""
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(SAMPLES, subject.channels, 8, 8, generator=generator)
    numpy.save(case.folder / "latents.npy", latents.numpy())
    values = subject.conditions(generator)
    arguments = ["--format", kind]
    for name in values[0]:
        paths = [case.folder / f"{name}{suffix}.npy" for suffix in ("", "_none")]
        for path, rows in zip(paths, values):
            numpy.save(path, rows[name].numpy())
        arguments += ["--condition", f"{name}={paths[0]},{paths[1]}"]
    message = case.export(subject.model, scheduler_of(*subject.schedulers[0]), arguments)
    if message:
        sys.exit(f"error: {subject.name} was not exported to {kind}: {message}")
    results, largest = [], 0
    if kind == "onnx" and (places := places_in(case.description.with_suffix(".onnx"))):
        results.append("wrong")
        print(f"wrong: the ONNX file of {subject.name} names {', '.join(places)}")
    all_schedulers = every or kind == "torchscript"
    for name, settings in subject.schedulers if all_schedulers else subject.schedulers[:2]:
        for steps in (3, 5, 20) if every else (5,):
            run = lambda x: numpy.asarray(  # noqa: E731
                subject.pipeline(scheduler_of(name, settings), x.clone(), steps, *values))
            theirs = run(latents)
            ours = case.sample(scheduler_of(name, settings), steps)
            shown = {key: value for key, value in settings.items() if key not in STABLE}
            what = f"{kind}, {subject.name}, {name} {shown}, {steps} steps"
            if isinstance(ours, str):
                results.append("refused")
                print(f"refused: {what}: {ours}")
                continue
            distance = distance_of(ours, theirs)
            if distance <= TOLERANCE:
                results.append("right")
                largest = max(largest, distance)
                continue
            rounding = rounding_of(run, latents, theirs)
            results.append("rounding" if distance <= 3 * rounding else "wrong")
            print(f"{results[-1]}: {what}: {distance:.2g}; diffusers' own rounding {rounding:.2g}")
    return results, largest


def check_decoder(case, kind):
    """Returns "right" if `sample --decoder` writes the picture that diffusers' VAE decodes, within a grey level."""
    from PIL import Image
    decoder, picture = case.folder / "exported/decoder.json", case.folder / "picture.png"
    model = vae()
    model.register_to_config(scaling_factor=0.7, shift_factor=0.1)
    model.save_pretrained(case.folder / "vae")
    subject = TextUnet()
    prompt, empty = subject.conditions(torch.Generator().manual_seed(3))
    for name, rows in (("prompt", prompt), ("empty", empty)):
        numpy.save(case.folder / f"{name}.npy", rows["encoder_hidden_states"].numpy())
    condition = f"encoder_hidden_states={case.folder}/prompt.npy,{case.folder}/empty.npy"
    message = case.export(subject.model, scheduler_of(*subject.schedulers[0]),
                          ["--format", kind, "--condition", condition])
    with contextlib.redirect_stdout(io.StringIO()):
        failed = message or export_model.main([str(case.folder / "vae"), str(decoder), "--decoder", "--format", kind,
                                               "--sample-shape", "4,8,8"])
    ran = subprocess.run([case.commands / "sample", "--model", case.description, "--seeds", "0", "--steps", "3",
                          "--decoder", decoder, "--out", picture, "--npy", case.folder / "latents.npy"],
                         capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if failed or ran.returncode:
        print(f"wrong: the decoder in {kind}: {message or ran.stderr}")
        return ["wrong"]
    latents = torch.from_numpy(numpy.load(case.folder / "latents.npy"))
    wanted = (model.decode(latents / 0.7 + 0.1).sample[0].clamp(-1, 1) + 1) * 127.5
    found = numpy.asarray(Image.open(picture).convert("RGB"), dtype=numpy.float32).transpose(2, 0, 1)
    if found.shape == wanted.shape and abs(found - wanted.numpy()).max() <= 1:
        return ["right"]
    print(f"wrong: the picture by the decoder in {kind}, {found.shape}, differs from diffusers'")
    return ["wrong"]


def check_refusals(case):
    """Returns "wrong" for each model of class ids that export_model.py does not refuse, for the right reason."""
    model, scheduler = ClassUnet().model, scheduler_of(*PIXEL_SCHEDULERS[0])
    for name, ids in (("high", [1001]), ("real", [1.5]), ("two", [[1]]), ("null", [1000])):
        numpy.save(case.folder / f"{name}.npy", numpy.array(ids))
    labels = f"class_labels={case.folder}/"
    results = []
    for arguments, reason in (
            ([], "class_labels is missing"), (["--class", 1001], "0 to 1000"),
            (["--class", 3, "--no-class", -1], "0 to 1000"), (["--no-class", 1000], "--no-class is 1000"),
            (["--condition", f"{labels}high.npy"], "0 to 1000"), (["--condition", f"{labels}real.npy"], "one integer"),
            (["--condition", f"{labels}two.npy"], "one integer"),
            (["--condition", f"{labels}null.npy,{case.folder}/two.npy"], "the unconditional class_labels"),
            (["--condition", f"{labels}null.npy", "--class", 3], "--class is 3"),
            (["--class", 3, "--condition", f"prompt={case.folder}/null.npy"], "is prompt; allowed: class_labels"),
            (["--class", 3, "--sample-shape", "3,7,7"], "cannot be run")):
        message = case.export(model, scheduler, ["--format", "torchscript", *arguments])
        if reason not in message or len(message.splitlines()) != 1:
            results.append("wrong")
            print(f"wrong: with {arguments} export_model.py ends with {message!r}, not {reason!r}")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", type=pathlib.Path)
    parser.add_argument("--runtimes", default="torchscript,pt2,onnx")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--libtorch", default="", help="version that the commands were built with; Python's must be the same")
    options = parser.parse_args()
    if diffusers.__version__ != VERSION:
        print(f"skipped: diffusers is {diffusers.__version__}, not {VERSION}")
        return SKIPPED
    if not torch.__version__.startswith(options.libtorch):
        print(f"skipped: Python's torch is {torch.__version__}, not {options.libtorch}")
        return SKIPPED
    diffusers.logging.set_verbosity_error()
    torch.set_num_threads(1)  # as sample here: the networks are small, and waiting threads slow down other tests
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    runtimes = options.runtimes.split(",")
    largest = 0
    with tempfile.TemporaryDirectory() as folder:
        case = Case(pathlib.Path(folder), options.commands.resolve())
        results = check_refusals(case)
        for kind in runtimes:
            if kind != "pt2":  # AOTInductor decodes nothing
                results += check_decoder(case, kind)
        for subject in (TextUnet(), FlowTransformer(), ClassUnet(), ClassTransformer()):
            for kind in runtimes if options.all or subject.every_runtime else runtimes[:1]:
                of_kind, distance = compare(case, subject, kind, options.all)
                results += of_kind
                largest = max(largest, distance)
    count = collections.Counter(results)
    print(f"{count['right']} right, at most {largest:.2g}, {count['rounding']} rounding, {count['refused']} refused, "
          f"{count['wrong']} wrong")
    return count["wrong"] > 0 or count["right"] == 0


if __name__ == "__main__":
    sys.exit(main())
