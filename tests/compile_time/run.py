#!/usr/bin/env python3
"""What including the library costs: user seconds and memory of compiling small programs, as multiples of
`#include <Eigen/Core>` in the same run (-O2, medians). Fails where a program takes more time than its budget.

    CXX=g++ tests/compile_time/run.py
"""
import os
import pathlib
import statistics
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
rounds = 7
budgets = {  # times Eigen/Core
    "tests/compile_time/umbrella.cpp": 1,
    "tests/compile_time/umbrella_eigen.cpp": 1.6,
    "tests/compile_time/one_solver.cpp": 2.5,
    "examples/quickstart.cpp": 5,
    "tests/compile_time/all_solvers.cpp": 8,
}


def compile_once(source):
    """User seconds and MB of one compilation, the only child of a process of its own."""
    compiler = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-Iinclude", "-isystem", "/usr/include/eigen3"]
    count = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
             "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime, used.ru_maxrss / 1024)")
    command = [sys.executable, "-c", count, *compiler, "-c", source, "-o", os.devnull]
    return [float(n) for n in subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()]


# In rounds over all programs, since a machine's speed drifts by several percent within a minute.
base = "tests/compile_time/eigen_core.cpp"
runs = {source: [] for source in [base, *budgets]}
for _ in range(rounds):
    for source in runs:
        runs[source].append(compile_once(source))
medians = {source: [statistics.median(values) for values in zip(*made)] for source, made in runs.items()}

base_seconds, base_memory = medians[base]
print("| program | user seconds | times Eigen/Core | budget | MB | times Eigen/Core |")
print("|---|---|---|---|---|---|")
print(f"| `#include <Eigen/Core>` | {base_seconds:.2f} | 1 | | {base_memory:.0f} | 1 |")
beyond = []
for source, budget in budgets.items():
    seconds, memory = medians[source]
    ratio = seconds / base_seconds
    print(f"| `{source}` | {seconds:.2f} | {ratio:.1f} | {budget} | {memory:.0f} | {memory / base_memory:.1f} |")
    if ratio > budget:
        beyond.append(source)
if beyond:
    sys.exit(f"error: beyond the budget: {', '.join(beyond)}")
