#!/usr/bin/env bash
# From a fresh machine to a picture: installs what is missing, builds, runs the first lesson, and draws 64 images from a
# trained network with six solvers at 5 NFE and one at 100 NFE, all from the same noise.
#   examples/quickstart.sh [--build DIR] [--out FILE.png] [CMake arguments, for example -DTorch_DIR=...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/bootstrap.sh"

build=$fewstep_source/build
out=
cmake_arguments=()
while (($#)); do
  case $1 in
    --build | --out)
      (($# > 1)) || fail "$1 needs a value"
      [[ $1 == --build ]] && build=$2 || out=$2
      shift
      ;;
    -D?*) cmake_arguments+=("$1") ;;
    *) fail "unknown argument '$1'; allowed: --build DIR, --out FILE.png, -DNAME=VALUE" ;;
  esac
  shift
done

need_packages
need_torch "${cmake_arguments[@]}"
configure "$build" -DFEWSTEP_EXAMPLES=ON -DFEWSTEP_TESTS=OFF "${cmake_arguments[@]}"
cmake --build "$build" --parallel "$(build_jobs)" --target quickstart sample compare

echo
echo "== examples/quickstart.cpp: a model whose denoiser is known exactly, on Eigen arrays"
"$build/examples/quickstart"
echo
echo "== examples/commands/compare.cpp: a trained network, the same noise for every solver"
models=$fewstep_source/examples/models
"$build/examples/compare" --model "$models/fashion_mnist.safetensors" \
  --predictors "$models/amed_5.safetensors,$models/amed_ipndm_5.safetensors,$models/table_5.json" \
  --out "${out:-$build/quickstart.png}"
