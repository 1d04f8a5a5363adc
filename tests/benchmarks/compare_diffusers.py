#!/usr/bin/env python3
"""The time of a step relative to scheduler.step() of diffusers, measured in alternation on one core. Neither includes
a network; ours includes a denoiser that takes one pass over the state.

    compare_diffusers.py PROGRAM     the program `benchmarks`
"""
import statistics
import subprocess
import sys
import time

import diffusers
import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)
rounds = 15
steps = 20
shapes = {"3x32x32": (3, 32, 32), "4x64x64": (4, 64, 64)}
schedulers = {
    "euler": ("Euler", diffusers.EulerDiscreteScheduler),
    "dpmpp": ("DPM-Solver++ 2M", diffusers.DPMSolverMultistepScheduler),
    "unipc": ("UniPC-2", diffusers.UniPCMultistepScheduler),
}


def diffusers_seconds(make, shape):
    """CPU seconds of a step, the average of a run."""
    scheduler = make()
    scheduler.set_timesteps(steps)
    sample = torch.randn(shape) * scheduler.init_noise_sigma
    output = torch.randn(shape)
    start = time.process_time()
    for t in scheduler.timesteps:
        sample = scheduler.step(output, t, sample).prev_sample
    return (time.process_time() - start) / len(scheduler.timesteps)


program = subprocess.Popen([sys.argv[1], "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def fewstep_seconds(solver, shape):
    batch, numbers = shape[0], shape[1] * shape[2] * shape[3]
    print(solver, numbers, batch, file=program.stdin, flush=True)
    return float(program.stdout.readline())


print("Time of a step, relative to diffusers' scheduler.step():\n")
print("| state | " + " | ".join(title for title, _ in schedulers.values()) + " |")
print("|---" * (len(schedulers) + 1) + "|")
for name, shape in shapes.items():
    for batch in (1, 64):
        cells = []
        for solver, (_, make) in schedulers.items():
            pairs = [(fewstep_seconds(solver, (batch, *shape)), diffusers_seconds(make, (batch, *shape)))
                     for _ in range(rounds)]
            ours, theirs = map(statistics.median, zip(*pairs))
            cells.append(f"{ours / theirs:.2f}")
        print(f"| {name}, batch {batch} | " + " | ".join(cells) + " |", flush=True)
program.stdin.close()
program.wait()
