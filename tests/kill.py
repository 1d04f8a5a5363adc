#!/usr/bin/env python3
"""Kills the long commands at random moments and starts them again: what is written in the end must equal, byte for byte,
what an unbroken run writes, and nothing else may be left. Then runs them on a full disk, where each must end with one
line and leave its folder as it was.

    tests/kill.py BUILD [--kills N] [--seed N] [command...]

BUILD: the build folder with the commands. The full disk is a tmpfs, which needs root; without it that part is skipped.
"""
import argparse
import atexit
import csv
import io
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(__file__).resolve().parents[1]
network = root / "tests/golden/edm_networks/ddpmpp_uncond.safetensors"
labelled = root / "tests/golden/edm_networks/ddpmpp_cond.safetensors"
classifier = root / "examples/models/fashion_mnist_classifier.safetensors"

commands = {  # arguments, and what they write
    "sample": (f"--model {network} --seeds 0-63 --steps 40 --solver heun --npy out.npy", ["out.npy"]),
    "gaussian_start": (f"--model {labelled} --images 400 --rank 2 --out out.safetensors", ["out.safetensors"]),
    "calibrate": (f"--model {network} --steps 4 --images 48 --teacher-steps 6 --iterations 4 --cache cache --out out.json",
                  ["out.json"]),
    "autotune": (f"--model {network} --evaluations 3 --calls 1200 --batch 8 --out out.json", ["out.json"]),
    "train_amed": (f"--model {network} --solver ipndm --order 2 --steps 3 --afs --trajectories 600 --batch 20 "
                   "--validation 20 --checkpoint-interval 0.2 --out out.safetensors", ["out.safetensors"]),
    "train_denoiser": ("--data {data} --images 384 --batch 48 --channels 8 --multiples 1 --blocks 1 --attention 8 "
                       "--test-images 250 --checkpoint-interval 0.2 --threads 1 --out out.safetensors", ["out.safetensors"]),
    "train_policy": ("--updates 2000 --batch 32 --plans 50 --threads 1 --out out.safetensors", ["out.safetensors"]),
    "evaluate": (f"--model {network} --cache cache --images 32 --selection-images 32 --seeds 1 --resamples 20 --nfe 2,3 "
                 f"--solvers euler,ipndm --reference-steps 12 --classifier {classifier} --out out", ["out.csv"]),
}


data = pathlib.Path(tempfile.mkdtemp(prefix="fewstep-kill-"))


def write_images(folder, split, count):
    """A small set of images in the form of Fashion-MNIST."""
    pixels = bytes((7 * i + i // 28) % 256 for i in range(count * 28 * 28))
    (folder / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + pixels)
    (folder / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count)))


def start(program, arguments, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([program, *arguments.format(data=data).split()], cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def content(path):
    """A result without what tells one run from another: seconds, and the time of writing."""
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        return [{name: value for name, value in row.items() if not name.startswith("seconds")} for row in rows]
    written = path.read_bytes()
    return re.sub(rb'"seconds": [0-9.e+-]+', b"", written) if path.suffix == ".json" else written


def results(folder, files):
    return {name: content(folder / name) for name in files}


def left_over(folder):
    """Files that no command should leave: parts, and locks of processes that are gone."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.name.endswith(".part"))


def killed_and_resumed(program, arguments, files, seconds, folder, kill):
    run = start(program, arguments, folder)
    time.sleep(random.uniform(0.05, seconds))
    run.send_signal(kill)
    run.communicate()
    again = start(program, arguments, folder)
    _, errors = again.communicate()
    if again.returncode:
        return f"started again after {signal.Signals(kill).name} it ends with {again.returncode}: {errors.strip()[-300:]}"
    return None


def check_kills(name, program, kills):
    arguments, files = commands[name]
    with tempfile.TemporaryDirectory() as temporary:
        whole = pathlib.Path(temporary) / "whole"
        whole.mkdir()
        begin = time.monotonic()
        run = start(program, arguments, whole)
        _, errors = run.communicate()
        seconds = time.monotonic() - begin
        if run.returncode:
            return [f"the unbroken run ends with {run.returncode}: {errors.strip()[-300:]}"]
        expected, problems = results(whole, files), []
        for k in range(kills):
            folder = pathlib.Path(temporary) / str(k)
            folder.mkdir()
            kill = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            problem = killed_and_resumed(program, arguments, files, seconds, folder, kill)
            if not problem and results(folder, files) != expected:
                problem = f"after {signal.Signals(kill).name} and a second run the results differ"
            if not problem and kill != signal.SIGKILL and left_over(folder):
                problem = f"after {signal.Signals(kill).name} these are left: {left_over(folder)}"
            if problem:
                problems.append(problem)
            shutil.rmtree(folder)
        return problems


def check_full_disk(name, program):
    arguments, _ = commands[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "disk"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], capture_output=True).returncode:
            return ["skipped: a full disk needs root"]
        try:
            (folder / "filler").write_bytes(b"x" * 4096)
            run = start(program, arguments, folder)
            _, errors = run.communicate()
            lines = [line for line in errors.splitlines() if line.startswith("error: ")]
            problems = []
            if run.returncode != 1 or len(lines) != 1:
                problems.append(f"on a full disk it ends with {run.returncode}: {errors.strip()[-300:]}")
            left = sorted(p.name for p in folder.iterdir() if p.name != "filler" and p.stat().st_size)
            if left or left_over(folder):
                problems.append(f"on a full disk it leaves {left or left_over(folder)}")
            return problems
        finally:
            subprocess.run(["umount", folder], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("command", nargs="*", help=", ".join(commands))
    arguments = parser.parse_intermixed_args()
    for name in arguments.command:
        if name not in commands:
            parser.error(f"command is {name}; allowed: {', '.join(commands)}")
    random.seed(arguments.seed)
    atexit.register(shutil.rmtree, data)
    write_images(data, "train", 600)
    write_images(data, "t10k", 250)
    failed = False
    for name in arguments.command or commands:
        program = arguments.build.resolve() / "examples" / name
        problems = check_kills(name, program, arguments.kills) + check_full_disk(name, program)
        print(f"{name}: {arguments.kills} kills, " + ("as an unbroken run" if not problems else f"{len(problems)} problems"),
              flush=True)
        for problem in problems:
            print(f"  {problem}", flush=True)
        failed |= any(not problem.startswith("skipped") for problem in problems)
    sys.exit(failed)


if __name__ == "__main__":
    main()
