#!/usr/bin/env bash
# Checks the formatting of every C++ file against .clang-format.
#   tests/format.sh          lists what differs and fails
#   tests/format.sh --fix    rewrites the files instead
# clang-format's output depends on its version, so one version is installed from Python's registry, into build/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/bootstrap.sh"
cd "$fewstep_source"

mode=(--dry-run -Werror)
case ${1:-} in
  "") ;;
  --fix) mode=(-i) ;;
  *) fail "unknown argument '$1'; allowed: --fix" ;;
esac

clang_format=$(python_tool clang-format 19.1.7)
mapfile -t files < <(git ls-files '*.hpp' '*.cpp' '*.h')
"$clang_format" "${mode[@]}" "${files[@]}"
echo "formatting: ${#files[@]} files"
