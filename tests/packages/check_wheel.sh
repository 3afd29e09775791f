#!/usr/bin/env bash
# Installs a wheel on a bare Debian that has Python alone, traces a fact by the command and from Python,
# starts the window, and passes the tests of the Python package on what was installed. Says how long it took
# from `pip install` to the traced fact.
#
# tests/packages/check_wheel.sh WHEEL [SUITE]    SUITE: of Debian; bullseye, whose glibc is 2.31
#
# Needs root, debootstrap, and a network for Debian's packages and PyPI's.
set -euo pipefail
wheel=$(realpath "${1:?the wheel}")
source "$(dirname "$0")/debian.sh"
bare_debian "${2:-bullseye}" python3,python3-venv,python3-pip,ca-certificates
cp "$wheel" "$debian/root/"
inside python3 -m venv /root/venv

begun=$SECONDS
inside /root/venv/bin/pip install --quiet "/root/$(basename "$wheel")"
traces_a_fact /root/venv/bin/factscope
echo "from pip install to a traced fact: $((SECONDS - begun)) s"

inside /root/venv/bin/python - <<'PYTHON'
import factscope

with factscope.open() as model:
    trace = model.trace("The capital of Egypt is", subject="Egypt", kind="mlp", window=2)
    print("from Python:", trace.axes, trace.scores.shape, float(trace.scores.max()))
PYTHON
opens_its_window /root/venv/bin/factscope
echo "the window: window.png"

# All that the tests read, without the repository's own copy of the package.
mkdir "$debian/root/repository"
git -C "$(dirname "$0")/../.." archive HEAD README.md assets data docs tests |
  tar --extract --directory "$debian/root/repository"
inside /root/venv/bin/pip install --quiet --requirement /root/repository/tests/python/requirements.txt
inside /root/venv/bin/python -m pytest --quiet -rs -p no:cacheprovider /root/repository/tests/python
