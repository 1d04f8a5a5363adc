#!/usr/bin/env python3
"""Compares the import of diffusers' schedulers with diffusers 0.42.1 itself, on random configurations.

    tests/diffusers_differential.py build/diffusers_cases [--seed N] [--cases N] [--write FILE]

Each configuration runs in diffusers and in the given program (tests/diffusers_cases.cpp) on the exact denoiser of data
0.4 N(1, 0.2^2) + 0.6 N(-1, 0.3^2). Prints per class how many are right (all samples to 2e-4, and as many evaluations),
refused, wrong, or accepted although diffusers refuses them. Exits with 1 if one is wrong or wrongly accepted, or if less
than 95% are right; with 77 where Python lacks torch, scipy or diffusers 0.42.1. The seed changes every week.
"""

import argparse
import collections
import datetime
import json
import math
import random
import subprocess
import sys
import warnings

VERSION = "0.42.1"
TOLERANCE = 2e-4
NOISE = [-1.5, -0.7, -0.1, 0.2, 0.9, 1.7]
SKIPPED = 77

try:
    import diffusers
    import numpy
    import scipy  # noqa: F401  (diffusers needs it for beta levels)
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)


# The data.


def denoised(x, sigma):
    """E[x0 | x0 + sigma n = x]; sigma may be infinite."""
    means, deviations = [1.0, -1.0], [0.2, 0.3]
    if math.isinf(sigma):
        return torch.full_like(x, 0.4 * means[0] + 0.6 * means[1])
    logs, images = [], []
    for weight, mean, deviation in zip([0.4, 0.6], means, deviations):
        variance = deviation**2 + sigma**2
        logs.append(math.log(weight) - 0.5 * math.log(variance) - 0.5 * (x - mean) ** 2 / variance)
        images.append(mean + deviation**2 / variance * (x - mean))
    return (torch.softmax(torch.stack(logs), 0) * torch.stack(images)).sum(0)


def predicted(kind, z, alpha, sigma):
    """What a network predicts from its input z = alpha x0 + sigma n."""
    image = denoised(z / alpha, sigma / alpha) if alpha > 0 else denoised(z, math.inf)
    noise = (z - alpha * image) / sigma
    if kind == "v_prediction":
        return alpha * noise - sigma * image
    if kind == "flow_prediction":
        return noise - image
    return noise if kind == "epsilon" else image


# Runs in diffusers.


class Run:
    """A run of a scheduler; `evaluations` counts calls of the network."""

    def __init__(self, scheduler, steps, mu, sigmas):
        self.scheduler, self.evaluations = scheduler, 0
        arguments = {} if mu is None else {"mu": mu}
        if sigmas is None:
            scheduler.set_timesteps(steps, **arguments)
        else:
            scheduler.set_timesteps(sigmas=sigmas, **arguments)
        self.name = type(scheduler).__name__
        self.kind = scheduler.config.get("prediction_type", "epsilon")
        self.unit = torch.tensor(NOISE, dtype=torch.float64).reshape(-1, 1, 1, 1)

    def start_at_first(self):
        """Starts at the first label where only the rounding of a logarithm, which depends on the processor, makes the
        second one equal to it: the first level is the table's highest, the second one is lower."""
        s = self.scheduler
        if not hasattr(s, "alphas_cumprod") or not hasattr(s, "set_begin_index") or len(s.timesteps) < 2:
            return
        if s.config.get("use_karras_sigmas") and (self.name[:3] != "DPM" or s.config.beta_schedule != "squaredcos_cap_v2"):
            return  # these labels are rounded to the nearest step
        highest = float(((1 - s.alphas_cumprod[-1]) / s.alphas_cumprod[-1]) ** 0.5)
        if self.in_alpha_scale() and s.timesteps[0] == s.timesteps[1] and s.sigmas[1] < 0.999 * highest <= 0.9991 * s.sigmas[0]:
            s.set_begin_index(0)

    def samples(self):
        start, end = self.ends()
        x = start * self.unit
        for timestep in self.scheduler.timesteps:
            self.evaluations += 1
            x = self.scheduler.step(self.network(x, timestep), timestep, x, return_dict=False)[0]
        return [float(value) for value in (x.double() / end).flatten()]

    def ends(self):
        """The factor of the noise at the start, and alpha at the end."""
        s = self.scheduler
        if self.name in ("DDIMScheduler", "CogVideoXDDIMScheduler", "CogVideoXDPMScheduler", "PNDMScheduler"):
            start = float(1 - s.alphas_cumprod[s.timesteps[0]]) ** 0.5
            return start, 1 if self.name == "PNDMScheduler" else float(s.final_alpha_cumprod) ** 0.5
        if self.name == "IPNDMScheduler":
            return 1, 1
        if self.in_alpha_scale():
            return float(self.alpha_sigma(s.sigmas[0])[1]), float(self.alpha_sigma(s.sigmas[-1])[0])
        return float(s.sigmas[0]), 1

    def pipeline_start(self):
        """The factor of a pipeline's noise at the start, in the scale of the data; None where alpha is 0."""
        s = self.scheduler
        if self.name == "IPNDMScheduler":
            return None
        if hasattr(s, "final_alpha_cumprod"):
            product = float(s.alphas_cumprod[s.timesteps[0]])
            return product**-0.5 if product > 0 else None
        alpha = self.alpha_sigma(s.sigmas[0])[0] if self.in_alpha_scale() else 1
        return float(getattr(s, "init_noise_sigma", 1)) / alpha

    def in_alpha_scale(self):
        return "step" in self.name.lower() and "EDM" not in self.name and "Cosine" not in self.name or self.name == "SASolverScheduler"

    def alpha_sigma(self, sigma):
        sigma = float(sigma)
        if self.scheduler.config.get("use_flow_sigmas", False):
            return 1 - sigma, sigma
        return 1 / math.sqrt(1 + sigma**2), sigma / math.sqrt(1 + sigma**2)

    def network(self, x, timestep):
        s = self.scheduler
        if hasattr(s, "final_alpha_cumprod"):
            product = float(s.alphas_cumprod[timestep])
            return predicted(self.kind, x, product**0.5, (1 - product) ** 0.5)
        if self.name == "IPNDMScheduler":
            i = int((s.timesteps == timestep).nonzero()[0])
            alpha = float(s.alphas[i])
            return predicted("v_prediction", x, alpha if i else 0, float(s.betas[i]))
        if s.step_index is None:
            s._init_step_index(timestep)
        sigma = float(s.sigmas[s.step_index])
        if self.name.startswith("FlowMatch"):
            return predicted("flow_prediction", x, 1 - sigma, sigma)
        if self.in_alpha_scale():
            return predicted(self.kind, x, *self.alpha_sigma(sigma))
        s.scale_model_input(x, timestep)  # it must be called; the network's input is alpha x to full precision below
        if "EDM" in self.name or "Cosine" in self.name:
            return self.edm(x, sigma)
        if self.name == "KDPM2DiscreteScheduler" and not s.state_in_first_order:
            sigma = float(s.sigmas_interpol[s.step_index])
        kind = "sample" if self.kind == "original_sample" else self.kind
        alpha = 1 / math.sqrt(1 + sigma**2)
        return predicted(kind, alpha * x, alpha, alpha * sigma)

    def edm(self, x, sigma):
        data = self.scheduler.config.sigma_data
        total = sigma**2 + data**2
        network = (denoised(x, sigma) - data**2 / total * x) / (sigma * data / math.sqrt(total))
        return -network if self.kind == "v_prediction" else network


def peer(case):
    config = dict(case["config"])
    tau = config.pop("tau_func", None)  # a constant here, a function in diffusers
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = getattr(diffusers, config["_class_name"])
            scheduler = kind.from_config(config) if tau is None else kind.from_config(config, tau_func=lambda t: tau)
            run = Run(scheduler, case["steps"], case["mu"], case["sigmas"])
            run.start_at_first()
            x, start, end = run.samples(), run.pipeline_start(), run.ends()[1]
    except Exception as error:  # whatever diffusers raises is a refusal
        return {"error": f"{type(error).__name__}: {error}"}
    if not all(math.isfinite(value) for value in x):
        return {"error": "not finite"}
    return {"x": x, "evals": run.evaluations, "start": start, "end": end}


# Random cases.

BETAS = [  # weight, beta_schedule, beta_start, beta_end; float arithmetic decides many runs of the last
    (3, "scaled_linear", 0.00085, 0.012),
    (3, "linear", 0.0001, 0.02),
    (3, "scaled_linear", 0.0015, 0.0195),
    (1, "squaredcos_cap_v2", None, None),
]
SPACING = {"timestep_spacing": ["linspace", "leading", "trailing"], "steps_offset": [0, 1]}
RANGES = {"use_karras_sigmas": [False, True, None], "use_exponential_sigmas": [False, True], "use_beta_sigmas": [False, True]}
ENDS = {"sigma_min": [0.002, 0.01, 0.05], "sigma_max": [20.0, 80.0, 700.0]}
IMAGE = {"prediction_type": ["epsilon", "v_prediction", "sample"]}
THRESHOLDING = {"thresholding": [False, True], "dynamic_thresholding_ratio": [0.9, 0.995], "sample_max_value": [1.0, 1.5]}
FLOW = {"use_flow_sigmas": [False, True], "flow_shift": [1.0, 3.0, 5.0], "use_dynamic_shifting": [False]}
FINAL = {"final_sigmas_type": ["zero", "sigma_min"]}
ZERO_SNR = {"rescale_betas_zero_snr": [False, True]}
ORDER = {"solver_order": [1, 2, 3], "lower_order_final": [False, True]}
EDM = {"sigma_min": [0.002, 0.01, 0.05], "sigma_max": [20.0, 80.0, 700.0], "sigma_data": [0.5, 1.0], "rho": [5.0, 7.0],
       "sigma_schedule": ["karras", "exponential"], **FINAL, **IMAGE}
DPM = {"algorithm_type": ["dpmsolver++", "dpmsolver", "deis"], "solver_type": ["midpoint", "heun", "bh2"],
       "lambda_min_clipped": [-5.1, -math.inf], **ORDER, **FINAL}
DDIM = {"clip_sample": [False, True], "clip_sample_range": [0.8, 1.0], "set_alpha_to_one": [False, True], **IMAGE, **SPACING,
        **ZERO_SNR}
KINDS = {  # class: weight, settings
    "DDIMScheduler": (12, {**DDIM, **THRESHOLDING}),
    "CogVideoXDDIMScheduler": (2, {**DDIM, "snr_shift_scale": [1.0, 3.0]}),
    "PNDMScheduler": (4, {**SPACING, **IMAGE, "skip_prk_steps": [False, True], "set_alpha_to_one": [False, True]}),
    "IPNDMScheduler": (1, {}),
    "EulerDiscreteScheduler": (8, {**SPACING, **RANGES, **ENDS, **IMAGE, **FINAL, **ZERO_SNR,
                                   "interpolation_type": ["linear", "log_linear"],
                                   "timestep_type": ["discrete", "continuous"]}),
    "EulerAncestralDiscreteScheduler": (1, {**SPACING, **IMAGE, **ZERO_SNR}),
    "HeunDiscreteScheduler": (5, {**SPACING, **RANGES, **IMAGE, "clip_sample": [False, True], "clip_sample_range": [0.8, 1.0]}),
    "KDPM2DiscreteScheduler": (5, {**SPACING, **RANGES, **IMAGE}),
    "LMSDiscreteScheduler": (5, {**SPACING, **RANGES, **IMAGE}),
    "DPMSolverMultistepScheduler": (9, {**SPACING, **RANGES, **IMAGE, **THRESHOLDING, **FLOW, **ZERO_SNR, **DPM,
                                        "use_lu_lambdas": [False, True], "euler_at_final": [False, True]}),
    "DPMSolverSinglestepScheduler": (5, {**RANGES, **IMAGE, **THRESHOLDING, **FLOW, **DPM}),
    "DEISMultistepScheduler": (6, {**SPACING, **RANGES, **IMAGE, **THRESHOLDING, **FLOW, **ORDER,
                                   "solver_type": ["logrho", "midpoint"], "algorithm_type": ["deis", "dpmsolver++"]}),
    "UniPCMultistepScheduler": (7, {**SPACING, **RANGES, **ENDS, **IMAGE, **THRESHOLDING, **FLOW, **ORDER, **FINAL, **ZERO_SNR,
                                    "solver_type": ["bh1", "bh2", "midpoint"], "predict_x0": [False, True],
                                    "disable_corrector": [[], [0], [0, 1]], "shift_terminal": [None, 0.1]}),
    "SASolverScheduler": (3, {**SPACING, **RANGES, **IMAGE, **THRESHOLDING, **FLOW, "tau_func": [0],
                              "predictor_order": [1, 2, 3], "corrector_order": [1, 2, 3],
                              "algorithm_type": ["data_prediction", "noise_prediction"],
                              "lower_order_final": [False, True]}),
    "EDMEulerScheduler": (4, EDM),
    "EDMDPMSolverMultistepScheduler": (5, {**EDM, **THRESHOLDING, **ORDER, "solver_type": ["midpoint", "heun"],
                                           "euler_at_final": [False, True]}),
    "FlowMatchEulerDiscreteScheduler": (8, {**RANGES, "shift": [1.0, 3.0], "use_dynamic_shifting": [False, True],
                                            "shift_terminal": [None, 0.1], "time_shift_type": ["exponential", "linear"]}),
    "FlowMatchHeunDiscreteScheduler": (4, {"shift": [1.0, 3.0]}),
}
TABLES = [name for name in KINDS if not name.startswith(("EDM", "FlowMatch", "IPNDM"))]


def draw(random_numbers):
    r = random_numbers
    name = r.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    config = {"_class_name": name}
    if name in TABLES:
        _, config["beta_schedule"], first, last = r.choices(BETAS, [weight for weight, *_ in BETAS])[0]
        if first is not None:
            config.update(beta_start=first, beta_end=last)
    for key, values in KINDS[name][1].items():
        if key == "tau_func" or r.random() < 0.35:
            config[key] = r.choice(values)
    if name != "IPNDMScheduler" and r.random() < 0.4:
        config["num_train_timesteps"] = r.choice([50, 100, 1000])
    steps = r.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 20]) if "Ancestral" not in name else r.choice([1, 1, 1, 2])
    mu = r.choice([0.5, 0.69, 1.15]) if config.get("use_dynamic_shifting") and r.random() < 0.9 else None
    sigmas = None
    if name.startswith("FlowMatchEuler") and r.random() < 0.3:
        sigmas = [float(sigma) for sigma in numpy.linspace(1, 1 / steps, steps)]
    if name == "EulerDiscreteScheduler" and r.random() < 0.1:
        sigmas = [float(sigma) for sigma in numpy.geomspace(14, 0.1, steps)] + [0.0]
    return {"config": config, "steps": steps, "mu": mu, "sigmas": sigmas}


# The comparison.


def verdict(ours, theirs):
    """right, refused, wrong, accepted or, where both refuse, agreed; and why."""
    if "error" in ours:
        return ("agreed" if "error" in theirs else "refused"), ours["error"]
    if "error" in theirs:
        return "accepted", theirs["error"]
    if theirs["start"] and abs(ours["start"] / theirs["start"] - 1) > TOLERANCE:
        return "wrong", f"a start of {ours['start']} times the noise, diffusers {theirs['start']}"
    if abs(ours["end"] / theirs["end"] - 1) > TOLERANCE:
        return "wrong", f"an end of {ours['end']} times the state, diffusers {theirs['end']}"
    if ours["evals"] != theirs["evals"]:
        return "wrong", f"{ours['evals']} evaluations, diffusers {theirs['evals']}"
    distance = max(abs(a - b) for a, b in zip(ours["x"], theirs["x"]))
    return ("right" if distance <= TOLERANCE else "wrong"), f"distance {distance:.3g}"


def main():
    week = datetime.date.today().isocalendar()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="diffusers_cases, from the build folder")
    parser.add_argument("--seed", type=int, default=week[0] * 100 + week[1])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--write", help="a file for the cases, one JSON object per line")
    parser.add_argument("--verbose", action="store_true", help="also print what is refused")
    options = parser.parse_args()
    if diffusers.__version__ != VERSION:
        print(f"skipped: diffusers is {diffusers.__version__}, not {VERSION}")
        return SKIPPED
    diffusers.logging.set_verbosity_error()

    random_numbers = random.Random(options.seed)
    cases = [draw(random_numbers) for _ in range(options.cases)]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    answers = subprocess.run([options.program], input=lines, capture_output=True, text=True, check=True).stdout
    tally = collections.defaultdict(collections.Counter)
    for case, line in zip(cases, answers.splitlines(), strict=True):
        case["peer"] = peer(case)
        kind, why = verdict(json.loads(line), case["peer"])
        tally[case["config"]["_class_name"]][kind] += 1
        if kind in ("wrong", "accepted") or (options.verbose and kind == "refused"):
            print(kind, json.dumps({key: case[key] for key in ("config", "steps", "mu", "sigmas")}), why)
    if options.write:
        with open(options.write, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(case) + "\n" for case in cases)

    total = sum(tally.values(), collections.Counter())
    columns = ["right", "agreed", "refused", "wrong", "accepted"]
    print(f"seed {options.seed}, diffusers {VERSION}")
    print("| class | right | both refuse | refused | wrong | refused by diffusers alone |")
    print("|---|---|---|---|---|---|")
    for name, counts in [*sorted(tally.items()), ("all", total)]:
        print("| " + " | ".join([name, *(str(counts[column]) for column in columns)]) + " |")
    good = total["right"] + total["agreed"] >= 0.95 * options.cases
    return 0 if good and not total["wrong"] and not total["accepted"] else 1


if __name__ == "__main__":
    sys.exit(main())
