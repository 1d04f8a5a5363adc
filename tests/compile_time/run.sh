#!/usr/bin/env bash
# What including the library costs: user seconds of compiling small programs, as multiples of
# `#include <Eigen/Core>` in the same run (-O2, median of three). Fails where a program is beyond its budget.
#   CXX=g++ tests/compile_time/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

measure() {  # FILE: user seconds
  for _ in 1 2 3; do
    { TIMEFORMAT=%U; time "${CXX:-g++}" -std=c++20 -O2 -Iinclude -isystem /usr/include/eigen3 -c "$1" -o /dev/null; } 2>&1
  done | sort -n | sed -n 2p
}

base=$(measure tests/compile_time/eigen_core.cpp)
echo "| program | user seconds | times Eigen/Core | budget |"
echo "|---|---|---|---|"
echo "| \`#include <Eigen/Core>\` | $base | 1 | |"
beyond=0
while read -r file budget; do
  seconds=$(measure "$file")
  ratio=$(awk "BEGIN {printf \"%.1f\", $seconds / $base}")
  echo "| \`$file\` | $seconds | $ratio | $budget |"
  awk "BEGIN {exit !($seconds > $budget * $base)}" && beyond=1
done <<'PROGRAMS'
tests/compile_time/umbrella.cpp 1
tests/compile_time/umbrella_eigen.cpp 1.6
tests/compile_time/one_solver.cpp 2.5
examples/quickstart.cpp 5
tests/compile_time/all_solvers.cpp 8
PROGRAMS
exit $beyond
