#!/usr/bin/env bash
# From a fresh machine to a picture: installs what is missing, builds, and draws 64 images from a trained network with
# several solvers at 5 evaluations beside 100 evaluations, all from the same noise.
#   examples/quickstart.sh [--build DIR] [--out FILE.png] [cmake arguments, such as -DTorch_DIR=...]
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
echo "== examples/quickstart.cpp: an exact denoiser, Eigen alone"
"$build/examples/quickstart"
echo
echo "== examples/compare.cpp: a trained network, the same noise for every solver"
models=$fewstep_source/examples/models
"$build/examples/compare" --model "$models/fashion_mnist.safetensors" \
  --predictors "$models/amed_5.safetensors,$models/amed_ipndm_5.safetensors,$models/table_5.json" \
  --out "${out:-$build/quickstart.png}"
