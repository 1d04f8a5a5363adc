#!/usr/bin/env bash
# Builds the tests without optimisation, runs them, and prints which lines and branches of include/ they reach.
#   tests/coverage.sh [cmake arguments, such as -DTorch_DIR=...]
# A line counts as reached if any instantiation runs it; lines that no test instantiates do not count. Branches of
# exceptions are left out. The report per header is build/coverage/headers.txt; the exit status is 1 below 97% of lines.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/bootstrap.sh"
cd "$fewstep_source"

build=$fewstep_source/build/coverage
export CXX=${CXX:-g++}
need_packages catch2 libboost-dev pkgconf
need_torch "$@"
gcovr=$(python_tool gcovr 8.3)
export CCACHE_DISABLE=1  # gcov's notes belong to one build folder
configure "$build" -DFEWSTEP_TESTS=ON -DFEWSTEP_EXAMPLES=ON -DCMAKE_BUILD_TYPE=Coverage \
  -DCMAKE_CXX_FLAGS_COVERAGE="-O0 --coverage -fprofile-update=atomic -w" "$@"
export GCOV_ERROR_FILE=/dev/null  # of programs that the tests forbid to write files
find "$build" -name '*.gcda' -delete
cmake --build "$build" --parallel "$(build_jobs)"
ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" --exclude-regex 'consumer|package'

"$gcovr" --root include/fewstep --object-directory "$build" --exclude-throw-branches --exclude-unreachable-branches \
  --merge-mode-functions merge-use-line-min --gcov-ignore-parse-errors=suspicious_hits.warn_once_per_file \
  --txt "$build/headers.txt" --txt-metric line --print-summary --fail-under-line 97 -j "$(nproc)" "$build"
