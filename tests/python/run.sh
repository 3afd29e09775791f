#!/usr/bin/env bash
# Tests the Python package with a built program, and executes the notebook, in an environment of its own
# with what they need from PyPI.
#
# tests/python/run.sh PROGRAM [arguments of pytest]
#
# The environment stays in FACTSCOPE_TEST_VENV, else in ~/.cache/factscope-test-venv. Where it cannot be
# made, because there is no Python or PyPI is not reached, the script says so and exits with 75.
set -euo pipefail
if (($# == 0)); then
  echo "name the program: tests/python/run.sh target/release/factscope" >&2
  exit 2
fi
program=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
venv=${FACTSCOPE_TEST_VENV:-$HOME/.cache/factscope-test-venv}

make_venv() {
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return
  # Debian and Ubuntu have what makes one in a package of its own.
  if ! python3 -c 'import ensurepip' 2>/dev/null && command -v apt-get >/dev/null; then
    local as_root=()
    [[ $(id --user) == 0 ]] || as_root=(sudo)
    "${as_root[@]}" apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install --quiet --yes \
      --no-install-recommends python3-venv
  fi
  python3 -m venv --clear "$venv"
}

if ! { make_venv &&
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement tests/python/requirements.txt; }; then
  echo "Python or what its tests need from PyPI is not there: the Python package is not tested" >&2
  exit 75
fi

# The tests find nothing in the user's folders and leave nothing there, as on a new machine.
home=$(mktemp --directory)
trap 'rm --recursive --force "$home"' EXIT
export HOME=$home XDG_RUNTIME_DIR=$home
unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME HF_HOME HF_HUB_CACHE

FACTSCOPE_PROGRAM=$program PYTHONPATH=$PWD/python "$venv/bin/python" -m pytest --quiet -rs \
  -p no:cacheprovider tests/python "$@"
