#!/usr/bin/env python3
"""Compares solvers with k-diffusion's deterministic samplers on random schedules.

    tests/k_diffusion_differential.py build/k_diffusion_cases [--seed N] [--cases N] [--write FILE]

Each case runs in k-diffusion 0.1.1.post1, in float64, and in the given program (tests/k_diffusion_cases.cpp) on the
exact denoiser of data 0.4 N(1, 0.2^2) + 0.6 N(-1, 0.3^2). Prints per sampler how many are right: all samples to 1e-7 of
the largest, and as many evaluations. Exits with 1 if one is wrong; with 77 where Python lacks torch, scipy or k-diffusion.
The seed changes every week.
"""

import argparse
import collections
import datetime
import importlib.metadata
import importlib.util
import json
import math
import pathlib
import random
import subprocess
import sys
import types

VERSION = "0.1.1.post1"
TOLERANCE = 1e-7
NOISE = [-1.5, -0.7, -0.1, 0.2, 0.9, 1.7]
SKIPPED = 77

try:
    import scipy  # noqa: F401  (k-diffusion's LMS integrates with it)
    import torch
    import tqdm  # noqa: F401

    found = importlib.metadata.distribution("k-diffusion")
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)


def load_sampling():
    """k_diffusion/sampling.py without the rest of the package, whose dependencies are large and not needed here."""
    for name in ("torchdiffeq", "torchsde", "k_diffusion", "k_diffusion.utils"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchdiffeq"].odeint = None
    sys.modules["k_diffusion.utils"].append_dims = lambda x, count: x.reshape(x.shape + (1,) * (count - x.ndim))
    sys.modules["k_diffusion"].utils = sys.modules["k_diffusion.utils"]
    path = pathlib.Path(found.locate_file("k_diffusion/sampling.py"))
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Denoiser:
    """E[x0 | x0 + sigma n = x], and how often it was called."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, sigma):
        self.calls += 1
        logs, images = [], []
        for weight, mean, deviation in [(0.4, 1.0, 0.2), (0.6, -1.0, 0.3)]:
            variance = deviation**2 + sigma.reshape(-1, 1) ** 2
            logs.append(math.log(weight) - 0.5 * variance.log() - 0.5 * (x - mean) ** 2 / variance)
            images.append(mean + deviation**2 / variance * (x - mean))
        return (torch.softmax(torch.stack(logs), 0) * torch.stack(images)).sum(0)


def peer(sampling, case):
    denoise = Denoiser()
    unit = torch.tensor(NOISE).reshape(-1, 1)
    arguments = {key: value for key, value in case.items() if key not in ("sampler", "sigmas")}
    if "sigmas" in case:
        sigmas = torch.tensor(case["sigmas"])
        x = getattr(sampling, case["sampler"])(denoise, sigmas[0] * unit, sigmas, disable=True)
    else:
        x = getattr(sampling, case["sampler"])(denoise, case["sigma_max"] * unit, disable=True, **arguments)
    return {"x": x.flatten().tolist(), "evals": denoise.calls}


def draw_levels(r, sampling):
    """Decreasing levels of k-diffusion's own schedules or random ones; they end at 0 or not."""
    steps = r.choice([1, 2, 3, 4, 5, 6, 8, 10, 15, 20])
    low, high = r.choice([0.002, 0.03, 0.1]), r.choice([10.0, 14.6, 80.0, 700.0])
    kind = r.choice(["karras", "exponential", "polyexponential", "vp", "random"])
    if kind == "random" or steps == 1:
        levels = sorted((math.exp(r.uniform(math.log(low), math.log(high))) for _ in range(steps)), reverse=True)
    elif kind == "karras":
        levels = sampling.get_sigmas_karras(steps, low, high, rho=r.choice([5.0, 7.0])).tolist()[:-1]
    elif kind == "vp":
        levels = sampling.get_sigmas_vp(steps).tolist()[:-1]
    else:
        rho = r.choice([0.5, 1.0, 2.0]) if kind == "polyexponential" else 1.0
        levels = sampling.get_sigmas_polyexponential(steps, low, high, rho=rho).tolist()[:-1]
    return levels + [r.choice([0.0, levels[-1] * r.uniform(0.1, 0.9)])]


def draw(r, sampling):
    sampler = r.choice(["euler", "heun", "dpm_2", "lms", "dpmpp_2m", "dpm_fast", "dpm_adaptive"])
    case = {"sampler": "sample_" + sampler}
    if sampler not in ("dpm_fast", "dpm_adaptive"):
        return {**case, "sigmas": draw_levels(r, sampling)}
    case.update(sigma_min=r.choice([0.002, 0.03, 0.1]), sigma_max=r.choice([10.0, 14.6, 80.0, 700.0]))
    if sampler == "dpm_fast":
        return {**case, "n": r.randint(1, 20)}
    return {**case, "order": r.choice([2, 3]), "rtol": r.choice([0.0, 0.01, 0.05]), "atol": r.choice([0.001, 0.0078, 0.05]),
            "h_init": r.choice([0.02, 0.05, 1.0]), "pcoeff": r.choice([0.0, 0.0, 0.2]), "icoeff": r.choice([1.0, 1.0, 0.8]),
            "dcoeff": r.choice([0.0, 0.0, 0.1]), "accept_safety": r.choice([0.81, 0.9])}


def verdict(ours, theirs):
    if "error" in ours:
        return "refused", ours["error"]
    if ours["evals"] != theirs["evals"]:
        return "wrong", f"{ours['evals']} evaluations, k-diffusion {theirs['evals']}"
    distance = max(abs(a - b) for a, b in zip(ours["x"], theirs["x"])) / max(1, *map(abs, theirs["x"]))
    return ("right" if distance <= TOLERANCE else "wrong"), f"distance {distance:.3g}"


def main():
    week = datetime.date.today().isocalendar()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="k_diffusion_cases, from the build folder")
    parser.add_argument("--seed", type=int, default=week[0] * 100 + week[1])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--write", help="a file for the cases, one JSON object per line")
    options = parser.parse_args()
    if found.version != VERSION:
        print(f"skipped: k-diffusion is {found.version}, not {VERSION}")
        return SKIPPED

    torch.set_default_dtype(torch.float64)
    sampling = load_sampling()
    random_numbers = random.Random(options.seed)
    cases = [draw(random_numbers, sampling) for _ in range(options.cases)]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    answers = subprocess.run([options.program], input=lines, capture_output=True, text=True, check=True).stdout
    tally = collections.defaultdict(collections.Counter)
    for case, line in zip(cases, answers.splitlines(), strict=True):
        theirs = peer(sampling, case)
        kind, why = verdict(json.loads(line), theirs)
        tally[case["sampler"]][kind] += 1
        if kind != "right":
            print(kind, json.dumps(case), why)
        case["peer"] = theirs
    if options.write:
        with open(options.write, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(case) + "\n" for case in cases)

    total = sum(tally.values(), collections.Counter())
    print(f"seed {options.seed}, k-diffusion {VERSION}")
    print("| sampler | right | refused | wrong |")
    print("|---|---|---|---|")
    for name, counts in [*sorted(tally.items()), ("all", total)]:
        print("| " + " | ".join([name, *(str(counts[column]) for column in ("right", "refused", "wrong"))]) + " |")
    return 0 if total["right"] == options.cases else 1


if __name__ == "__main__":
    sys.exit(main())
