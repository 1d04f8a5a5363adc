#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test.
#   tests/run.sh [--build DIR] [cmake arguments, such as -DTorch_DIR=...]
# Leaves golden_check and unet_check in the build folder (default: build/ of this checkout).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/bootstrap.sh"

build=$fewstep_source/build
cmake_arguments=()
while (($#)); do
  case $1 in
    --build)
      (($# > 1)) || fail "--build needs a folder"
      build=$2
      shift
      ;;
    -D?*) cmake_arguments+=("$1") ;;
    *) fail "unknown argument '$1'; allowed: --build DIR, -DNAME=VALUE" ;;
  esac
  shift
done

need_packages
need_torch "${cmake_arguments[@]}"
configure "$build" -DFEWSTEP_TESTS=ON -DFEWSTEP_EXAMPLES=ON "${cmake_arguments[@]}"
cmake --build "$build" --parallel "$(build_jobs)" --target all all_verify_interface_header_sets
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)"
