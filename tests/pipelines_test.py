#!/usr/bin/env python3
"""Exported networks end where diffusers' pipelines end: same weights, same latents, same embeddings.

    tests/pipelines_test.py FOLDER_OF_COMMANDS [--runtimes torchscript,pt2,onnx] [--all] [--libtorch VERSION]

Small random networks are exported by examples/commands/export_model.py and sampled by `sample --scheduler`. --all takes
every scheduler and 3, 5 and 20 steps; else a choice that ctest has time for. Exits with 77, which ctest reports as
skipped, where Python has no diffusers.
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
SKIPPED, VERSION, TOLERANCE = 77, "0.42.1", 1e-4
try:
    import diffusers
    import numpy
    import torch
    import transformers  # noqa: F401  pipelines need it
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)

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


def vae(latent_channels=4):
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=latent_channels, norm_num_groups=4, shift_factor=0.0).eval()


class TextUnet:
    """A text-conditioned latent U-Net, as in Stable Diffusion."""

    schedulers, conditions = NOISE_SCHEDULERS, {"encoder_hidden_states": (5, 16)}

    def __init__(self, prediction):
        self.name, self.extra = f"U-Net of {prediction}", {**STABLE, "prediction_type": prediction}
        self.model = diffusers.UNet2DConditionModel(
            sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(32, 64),
            norm_num_groups=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16, attention_head_dim=8).eval()

    def pipeline(self, scheduler, prompt, empty, **arguments):
        pipeline = diffusers.StableDiffusionPipeline(
            vae=vae(), text_encoder=None, tokenizer=None, unet=self.model, scheduler=scheduler, safety_checker=None,
            feature_extractor=None, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline(prompt_embeds=prompt["encoder_hidden_states"],
                        negative_prompt_embeds=empty["encoder_hidden_states"], **arguments).images


class FlowTransformer:
    """A flow transformer, as in Stable Diffusion 3."""

    name, extra, schedulers = "flow transformer", {}, FLOW_SCHEDULERS
    conditions = {"encoder_hidden_states": (5, 16), "pooled_projections": (12,)}

    def __init__(self):
        self.model = diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=4, joint_attention_dim=16, caption_projection_dim=32, pooled_projection_dim=12,
            pos_embed_max_size=8).eval()

    def pipeline(self, scheduler, prompt, empty, **arguments):
        pipeline = diffusers.StableDiffusion3Pipeline(
            transformer=self.model, scheduler=scheduler, vae=vae(), text_encoder=None, tokenizer=None,
            text_encoder_2=None, tokenizer_2=None, text_encoder_3=None, tokenizer_3=None)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline(prompt_embeds=prompt["encoder_hidden_states"],
                        negative_prompt_embeds=empty["encoder_hidden_states"],
                        pooled_prompt_embeds=prompt["pooled_projections"],
                        negative_pooled_prompt_embeds=empty["pooled_projections"], height=16, width=16, **arguments).images


class Case:
    """A network, exported to each format, and its pipeline's samples."""

    def __init__(self, folder, commands):
        self.folder, self.commands = folder, commands

    def export(self, model, scheduler, kind, conditions=(), batch=0):
        model.save_pretrained(self.folder / "model")
        scheduler.save_config(self.folder)
        description = self.folder / f"{kind}.json"
        command = [sys.executable, root / "examples/commands/export_model.py", self.folder / "model", description,
                   "--format", kind, "--scheduler", self.folder / "scheduler_config.json", "--batch", str(batch)]
        for name in conditions:
            command += ["--condition", f"{name}={self.folder / name}.npy,{self.folder / name}_none.npy"]
        environment = {name: value for name, value in os.environ.items() if name != "CXX"}  # AOTInductor's own choice
        ran = subprocess.run(command, capture_output=True, text=True, env=environment)
        if ran.returncode:
            sys.exit(f"error: {kind} was not exported:\n{ran.stderr[-3000:]}")
        return description

    def sample(self, description, scheduler, steps, guidance):
        scheduler.save_config(self.folder)
        out = self.folder / "samples.npy"
        ran = subprocess.run([self.commands / "sample", "--model", description, "--scheduler",
                              self.folder / "scheduler_config.json", "--steps", str(steps), "--noise",
                              self.folder / "latents.npy", "--guidance", str(guidance), "--npy", out],
                             capture_output=True, text=True)
        if ran.returncode:
            return ran.stderr.strip().splitlines()[-1]
        return numpy.load(out)


def compare(case, subject, kind, every):
    """Returns what came of each run of a network: "right", "refused" or "wrong"."""
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    numpy.save(case.folder / "latents.npy", latents.numpy())
    values = []
    for suffix in ("", "_none"):
        values.append({})
        for name, shape in subject.conditions.items():
            one = torch.randn(1, *shape, generator=generator)
            numpy.save(case.folder / f"{name}{suffix}.npy", one.numpy())
            values[-1][name] = one.expand(2, *shape)
    first_name, first_settings = subject.schedulers[0]
    make = lambda name, settings: getattr(diffusers, name)(**subject.extra, **settings)  # noqa: E731
    description = case.export(subject.model, make(first_name, first_settings), kind, subject.conditions)
    results = []
    for name, settings in subject.schedulers if every or kind == "torchscript" else subject.schedulers[:2]:
        for steps in (3, 5, 20) if every else (5,):
            theirs = subject.pipeline(make(name, settings), *values, latents=latents.clone(), num_inference_steps=steps,
                                      guidance_scale=3.0, output_type="latent")
            theirs = theirs.numpy() if isinstance(theirs, torch.Tensor) else theirs
            ours = case.sample(description, make(name, settings), steps, 3)
            what = f"{kind}, {subject.name}, {name} {settings}, {steps} steps"
            if isinstance(ours, str):
                results.append("refused")
                print(f"refused: {what}: {ours}")
                continue
            distance = abs(ours - theirs).max() / abs(theirs).max()
            results.append("right" if distance <= TOLERANCE else "wrong")
            if results[-1] == "wrong":
                print(f"wrong: {what}: {distance:.2g} of the largest magnitude")
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
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        case = Case(pathlib.Path(folder), options.commands.resolve())
        for subject in (TextUnet("epsilon"), TextUnet("v_prediction"), FlowTransformer()):
            for kind in options.runtimes.split(","):
                results += compare(case, subject, kind, options.all)
    count = collections.Counter(results)
    print(f"{count['right']} right, {count['refused']} refused, {count['wrong']} wrong")
    return count["wrong"] > 0 or count["right"] == 0


if __name__ == "__main__":
    sys.exit(main())
