#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test.
#   tests/run.sh [--build DIR] [cmake arguments, such as -DTorch_DIR=...]
# Leaves golden_check and unet_check in the build folder (default: build/ of this checkout).
#   tests/run.sh --sanitize [--build DIR] [cmake arguments]
# runs them under the compiler's sanitizers instead, without LibTorch, in DIR/address and DIR/thread.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/bootstrap.sh"

build=$fewstep_source/build
sanitize=false
cmake_arguments=()
while (($#)); do
  case $1 in
    --build)
      (($# > 1)) || fail "--build needs a folder"
      build=$2
      shift
      ;;
    --sanitize) sanitize=true ;;
    -D?*) cmake_arguments+=("$1") ;;
    *) fail "unknown argument '$1'; allowed: --build DIR, --sanitize, -DNAME=VALUE" ;;
  esac
  shift
done

# build_and_run FOLDER [target...]; with `tests` set, only the tests that it matches run.
build_and_run() {
  local folder=$1
  shift
  cmake --build "$folder" --parallel "$(build_jobs)" --target "$@"
  ctest --test-dir "$folder" --output-on-failure --no-tests=error --parallel "$(nproc)" --tests-regex "${tests:-.}"
}

# Without LibTorch, since a sanitizer only checks code that it compiles. clang takes less than half of g++'s time, and
# g++ 12 gives false warnings of uninitialised memory; other warnings are those of the ordinary build.
configure_sanitized() {
  configure "$1" -DFEWSTEP_TESTS=ON -DFEWSTEP_EXAMPLES=OFF -DFEWSTEP_TORCH=OFF "${cmake_arguments[@]}" \
    -DCMAKE_BUILD_TYPE=Sanitize -DCMAKE_CXX_FLAGS_SANITIZE="-O1 -g -w -fsanitize=$2 -fno-sanitize-recover=all"
}

if $sanitize; then
  need_packages catch2 libboost-dev clang libclang-rt-dev
  export CXX=${CXX:-clang++}
  configure_sanitized "$build/address" address,undefined
  build_and_run "$build/address" all
  configure_sanitized "$build/thread" thread
  tests='^thread_test$' build_and_run "$build/thread" thread_test  # the others have one thread
else
  need_packages catch2 libboost-dev pkgconf fonts-noto-color-emoji unicode-data
  need_torch "${cmake_arguments[@]}"
  configure "$build" -DFEWSTEP_TESTS=ON -DFEWSTEP_EXAMPLES=ON "${cmake_arguments[@]}"
  build_and_run "$build" all all_verify_interface_header_sets
fi
