#!/usr/bin/env bash
# Installs the Python peers of the benchmark from PyPI into a folder of their own.
#
# Usage: benches/install_peers.sh DIR
# Nothing is installed twice. On Linux PyPI's PyTorch brings CUDA along, 6 GB in all, although only
# the CPU is used; whoever has a smaller build of it points PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS at
# it, or gives the benchmark another interpreter with --python.
set -euo pipefail
venv=${1:?the folder to install into}
python=$venv/bin/python

# A run that was cut short starts again.
if [[ -e $venv/complete ]] && "$python" -c '' 2>/dev/null; then
  exit
fi
echo "installing the Python peers into $venv, once" >&2
python3 -m venv "$venv"
# TransformerLens 3 has another interface; the other two bounds are what 2.18 works with.
"$python" -m pip install --quiet --disable-pip-version-check \
  "transformer-lens<3" "pyarrow<18" "datasets<3" transformers torch
touch "$venv/complete"
