#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer and the sanitizers, and runs each.
#   tests/fuzz/run.sh [SECONDS per target, 60] [target...]
# Seeds: the shipped models, tables and predictors, and regressions/ (inputs that broke something once). Prints the
# executions; an input that breaks a law is left in the build folder, and the exit status is 1.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../cmake/bootstrap.sh"
cd "$fewstep_source"

seconds=${1:-60}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(table predictor gaussian_start safetensors diffusers solvers)
need_packages clang libclang-rt-dev
build=$fewstep_source/build/fuzz
mkdir -p "$build"

seeds() {  # TARGET: folder of its seeds
  local folder=$build/seeds/$1
  mkdir -p "$folder"
  case $1 in
    table) cp examples/models/*.json "$folder" ;;
    predictor) cp examples/models/amed*.safetensors "$folder" ;;
    gaussian_start) cp examples/models/*start*.safetensors "$folder" ;;
    safetensors) cp examples/models/amed_5.safetensors tests/golden/edm_networks/*.safetensors "$folder" ;;
    *) ;;
  esac
  if [[ -d tests/fuzz/regressions/$1 ]]; then cp tests/fuzz/regressions/$1/* "$folder"; fi
  echo "$folder"
}

build_target() {
  clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -w -Iinclude \
    "tests/fuzz/$1.cpp" -o "$build/$1"
}
export -f build_target
export build
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'build_target {}'

failed=0
for target in "${targets[@]}"; do
  log=$build/$target.log
  mkdir -p "$build/corpus/$target"
  if "$build/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="$build/$target-" "$build/corpus/$target" "$(seeds "$target")" >"$log" 2>&1; then
    grep -E '^Done' "$log" | sed "s/^/$target: /"
  else
    failed=1
    echo "$target: an input breaks it, see $log"
    grep -m3 -E 'broken:|ERROR|SUMMARY|what\(\)' "$log" || true
  fi
done
exit $failed
