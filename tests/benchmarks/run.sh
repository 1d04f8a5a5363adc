#!/usr/bin/env bash
# Builds the benchmarks in build/benchmarks, runs them and prints the tables of tests/README.md.
#   tests/benchmarks/run.sh [cmake arguments, such as -DTorch_DIR=...]
# FEWSTEP_PYTHON is a Python with torch and diffusers; by default they are installed in a virtual environment there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../cmake/bootstrap.sh"

build=$fewstep_source/build/benchmarks
need_packages libbenchmark-dev
need_torch "$@"
{
  configure "$build" -DFEWSTEP_TESTS=OFF -DFEWSTEP_EXAMPLES=OFF -DFEWSTEP_BENCHMARKS=ON "$@"
  cmake --build "$build" --parallel "$(build_jobs)" --target benchmarks
} >&2

python=${FEWSTEP_PYTHON:-$build/venv/bin/python}
if [[ ! -x $python ]]; then
  python3 -m venv "$build/venv" >&2
  "$build/venv/bin/pip" install --quiet ${FEWSTEP_PIP_ARGUMENTS:-} torch==2.13.0 diffusers==0.42.1 >&2
fi

export OMP_NUM_THREADS=1
program=$build/tests/benchmarks/benchmarks
"$program"
"$python" "$fewstep_source/tests/benchmarks/compare_diffusers.py" "$program"
