#!/usr/bin/env bash
# Tests the Python package with a built program, in an environment of its own with what the tests need
# from PyPI.
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
if ! { [[ -x $venv/bin/python ]] || python3 -m venv "$venv"; } ||
  ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement tests/python/requirements.txt; then
  echo "Python or what its tests need from PyPI is not there: the Python package is not tested" >&2
  exit 75
fi
FACTSCOPE_PROGRAM=$program PYTHONPATH=$PWD/python "$venv/bin/python" -m pytest --quiet -rs tests/python "$@"
