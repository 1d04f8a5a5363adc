#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer and the sanitizers, and runs each.
#   tests/fuzz/run.sh [SECONDS per target, 60] [target...]
# Seeds: shipped and recorded files, and regressions/ (inputs that were handled wrongly once); dictionaries: the keys and
# names that these formats know. Prints the executions; an input that breaks a law is left in the build folder, and the
# exit status is 1.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../cmake/bootstrap.sh"
cd "$fewstep_source"

seconds=${1:-60}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(table predictor gaussian_start safetensors npy model unet_config dit_config idx diffusers solvers)
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
    npy) printf '\x93NUMPY\x01\x00\x3c\x00%-59s\nabcdefgh' "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" >"$folder/pair.npy" ;;
    model) echo '{"format":"fewstep model 1","network":"m.onnx","sample_shape":[2],"process":{"kind":"flow"}}' >"$folder/flow" ;;
    dit_config) echo '{"arch":"{\"model_type\":\"DiT\",\"depth\":2}","img_resolution":32,"img_channels":3,"label_dim":2,"labels":"a,b","process":"flow"}' >"$folder/flow" ;;
    unet_config) cp tests/golden/edm_networks/*.json "$folder" ;;
    *) ;;
  esac
  if [[ -d tests/fuzz/regressions/$1 ]]; then cp tests/fuzz/regressions/$1/* "$folder"; fi
  echo "$folder"
}

# Every word in quotation marks that the readers know, as libFuzzer's dictionary.
dictionary() {
  grep -ohE '"[A-Za-z0-9_+.-]{2,40}"' include/fewstep/io/*.hpp include/fewstep/io/*/*.hpp include/fewstep/*registry.hpp \
    include/fewstep/names.hpp examples/commands/support/{unet_config.cpp,dit_config.cpp,metadata_reader.hpp} | sort -u
}

build_target() {
  local sources=("tests/fuzz/$1.cpp")
  if [[ -e examples/commands/support/$1.cpp ]]; then sources+=("examples/commands/support/$1.cpp"); fi
  clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -w -Iinclude \
    "${sources[@]}" -lz -o "$build/$1"
}
export -f build_target
export build
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'build_target {}'

dictionary >"$build/dictionary"

fuzz() {  # TARGET: prints one line
  local log=$build/$1.log
  mkdir -p "$build/corpus/$1"
  if "$build/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -dict="$build/dictionary" \
    -artifact_prefix="$build/$1-" "$build/corpus/$1" "$(seeds "$1")" >"$log" 2>&1; then
    grep -E '^Done' "$log" | sed "s/^/$1: /"
  else
    echo "$1: an input breaks it, see $log"
    grep -m3 -E 'broken:|ERROR|SUMMARY|what\(\)' "$log" || true
    return 1
  fi
}
export -f fuzz seeds
export seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
