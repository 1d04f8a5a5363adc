#!/usr/bin/env bash
# Runs clang-tidy with the checks of .clang-tidy on headers of include/ that need no LibTorch.
#   tests/tidy.sh                 all of them
#   tests/tidy.sh FILE...         these
#   tests/tidy.sh --since REV     those that changed since a revision
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/bootstrap.sh"
cd "$fewstep_source"

need_packages nlohmann-json3-dev
clang_tidy=$(python_tool clang-tidy 19.1.0)
case ${1:-} in
  "") mapfile -t files < <(git ls-files 'include/*.hpp') ;;
  --since) mapfile -t files < <(git diff --name-only --diff-filter=d "${2:?--since needs a revision}" -- 'include/*.hpp') ;;
  -*) fail "unknown argument '$1'; allowed: --since REV, files" ;;
  *) files=("$@") ;;
esac

checked=()
for file in "${files[@]}"; do
  [[ $file == include/fewstep/torch* ]] || checked+=("$file")
done
((${#checked[@]})) || { echo "clang-tidy: no header to check"; exit 0; }
printf '%s\n' "${checked[@]}" | xargs -P "$(nproc)" -I{} "$clang_tidy" --quiet --warnings-as-errors='*' {} \
  -- -x c++ -std=c++20 -Iinclude -isystem /usr/include/eigen3 -Wno-pragma-once-outside-header
echo "clang-tidy: ${#checked[@]} headers"
