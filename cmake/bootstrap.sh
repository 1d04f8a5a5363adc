# Shell functions shared by tests/run.sh, examples/quickstart.sh and .ci/run: install what is missing, configure, build.
# To be sourced by bash, after `set -euo pipefail`.

fewstep_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  echo "error: $*" >&2
  exit 1
}

# at_least 3.24 "$(cmake --version)": does the first number in the text reach the version?
at_least() {
  local have
  have=$(grep -Eom1 '[0-9]+(\.[0-9]+)+' <<<"$2" || true)
  [[ -n $have && $(printf '%s\n%s\n' "$1" "$have" | sort -V | head -n 1) == "$1" ]]
}

have_package() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# install_packages [package...]: installs Debian packages and prints which; without arguments it does nothing.
install_packages() {
  (($#)) || return 0
  local admin=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "missing packages: $*; run as root: apt-get install $*"
    admin=(sudo)
  fi
  echo "== installing with apt-get: $*"
  local log
  log=$(mktemp)
  if ! { "${admin[@]}" apt-get update &&
    "${admin[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"; } \
    >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install: $*"
  fi
  rm -f "$log"
}

# need_packages [package...]: installs the compiler, CMake, the libraries of the examples, and the given packages.
# Tools that are found elsewhere (a newer CMake, clang in CXX) are used as they are.
need_packages() {
  local libraries=(libeigen3-dev nlohmann-json3-dev libstb-dev libcli11-dev zlib1g-dev "$@")
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "== no apt-get here; needed are a C++20 compiler, CMake 3.24, LibTorch 1.13, Eigen 3.4, nlohmann-json, stb, CLI11, zlib${*:+, and what Debian calls $*}"
    return
  fi
  local missing=() package
  command -v "${CXX:-c++}" >/dev/null || missing+=(g++)
  at_least 3.24 "$(cmake --version 2>/dev/null)" || missing+=(cmake)
  command -v ninja >/dev/null || command -v make >/dev/null || missing+=(ninja-build)
  for package in "${libraries[@]}"; do
    have_package "$package" || missing+=("$package")
  done
  install_packages "${missing[@]}"
}

# need_torch [-D...]: finds LibTorch as the build does (cmake/FewstepTorch.cmake), and installs Debian's if there is none.
need_torch() {
  local definitions=() argument found
  for argument in "$@"; do
    [[ $argument == -D?* ]] && definitions+=("$argument")
  done
  [[ " ${definitions[*]} " != *" -DFEWSTEP_TORCH=OFF "* ]] || return 0
  if found=$(cmake "${definitions[@]}" -P "$fewstep_source/cmake/FewstepTorch.cmake" 2>&1); then
    return
  elif [[ $found == *"no LibTorch found"* ]] && command -v apt-get >/dev/null; then
    install_packages libtorch-dev libopenblas0-pthread
  else
    fail "$(tr -s '\n ' ' ' <<<"$found" | sed -E 's/.*(fewstep: [^:].*)$/\1/; s/ Call Stack.*//')"
  fi
}

# configure BUILD_DIR [cmake arguments...]
configure() {
  local build=$1 generator=()
  shift
  if [[ ! -e $build/CMakeCache.txt ]] && command -v ninja >/dev/null; then
    generator=(-G Ninja)
  fi
  cmake -S "$fewstep_source" -B "$build" "${generator[@]}" "$@"
}

# Compiling against LibTorch takes about 1.5 GB per job.
build_jobs() {
  local cores memory_gb
  cores=$(nproc)
  memory_gb=$(awk '/MemAvailable/ {print int($2 / 1.5e6)}' /proc/meminfo 2>/dev/null || echo "$cores")
  echo $((memory_gb < 1 ? 1 : memory_gb < cores ? memory_gb : cores))
}

# python_tool NAME VERSION: prints the path of a program of a Python package, installed into build/tools if missing.
python_tool() {
  local venv=$fewstep_source/build/tools/$1-$2
  if [[ ! -x $venv/bin/$1 ]]; then
    python3 -m venv "$venv" >&2 2>/dev/null || { install_packages python3-venv >&2 && python3 -m venv "$venv" >&2; }
    "$venv/bin/pip" install --quiet ${FEWSTEP_PIP_ARGUMENTS:-} "$1==$2" >&2
  fi
  echo "$venv/bin/$1"
}
