#!/usr/bin/env python3
"""Exported networks end where diffusers' pipelines end: same weights, same latents, same embeddings.

    tests/pipelines_test.py FOLDER_OF_COMMANDS [--runtimes torchscript,pt2,onnx] [--all]

Small random networks are exported by examples/commands/export_model.py and sampled by `sample --scheduler`. --all takes
every scheduler and 3, 5 and 20 steps; else a choice that ctest has time for. Exits with 77, which ctest reports as
skipped, where Python has no diffusers.
"""

import argparse
import json
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


def text_unet():
    """A text-conditioned latent U-Net in its pipeline's folder."""
    torch.manual_seed(1)
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(32, 64), norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, attention_head_dim=8)
    vae = diffusers.AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
                                  up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4)
    return unet.eval(), vae.eval()


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
        subprocess.run(command, check=True, capture_output=True)
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


def make_scheduler(name, settings, prediction=None):
    flow = name.startswith("FlowMatch") or settings.get("use_flow_sigmas")
    extra = {} if flow else {**STABLE, "prediction_type": prediction}
    return getattr(diffusers, name)(**extra, **settings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", type=pathlib.Path)
    parser.add_argument("--runtimes", default="torchscript,pt2,onnx")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    if diffusers.__version__ != VERSION:
        print(f"skipped: diffusers is {diffusers.__version__}, not {VERSION}")
        return SKIPPED
    diffusers.logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    wrong = right = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        case = Case(pathlib.Path(folder), options.commands.resolve())
        unet, vae = text_unet()
        generator = torch.Generator().manual_seed(2)
        latents = torch.randn(2, 4, 8, 8, generator=generator)
        prompt, empty = (torch.randn(1, 5, 16, generator=generator) for _ in range(2))
        numpy.save(case.folder / "latents.npy", latents.numpy())
        numpy.save(case.folder / "encoder_hidden_states.npy", prompt.numpy())
        numpy.save(case.folder / "encoder_hidden_states_none.npy", empty.numpy())
        for prediction in ("epsilon", "v_prediction"):
            for kind in options.runtimes.split(","):
                description = case.export(unet, make_scheduler("DDIMScheduler", {}, prediction), kind,
                                          ["encoder_hidden_states"])
                schedulers = NOISE_SCHEDULERS if options.all or kind == "torchscript" else NOISE_SCHEDULERS[:2]
                for name, settings in schedulers:
                    for steps in (3, 5, 20) if options.all else (5,):
                        scheduler = make_scheduler(name, settings, prediction)
                        pipeline = diffusers.StableDiffusionPipeline(
                            vae=vae, text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler,
                            safety_checker=None, feature_extractor=None, requires_safety_checker=False)
                        pipeline.set_progress_bar_config(disable=True)
                        theirs = pipeline(prompt_embeds=prompt.expand(2, -1, -1),
                                          negative_prompt_embeds=empty.expand(2, -1, -1), latents=latents.clone(),
                                          num_inference_steps=steps, guidance_scale=3.0, output_type="latent").images
                        theirs = theirs.numpy() if isinstance(theirs, torch.Tensor) else theirs
                        ours = case.sample(description, make_scheduler(name, settings, prediction), steps, 3)
                        what = f"{kind}, {prediction}, {name} {settings}, {steps} steps"
                        if isinstance(ours, str):
                            refused += 1
                            print(f"refused: {what}: {ours}")
                            continue
                        distance = abs(ours - theirs).max() / abs(theirs).max()
                        good = distance <= TOLERANCE
                        right, wrong = right + good, wrong + (not good)
                        if not good:
                            print(f"wrong: {what}: {distance:.2g} of the largest magnitude")
    print(f"{right} right, {refused} refused, {wrong} wrong")
    return wrong > 0 or right == 0


if __name__ == "__main__":
    sys.exit(main())
