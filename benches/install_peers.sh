#!/usr/bin/env bash
# Installs the Python peers of the benchmark from PyPI into folders of their own: DIR/venv with
# TransformerLens 2, and DIR/venv-lens-4 with TransformerLens 4, which wants another `transformers`.
#
# Usage: benches/install_peers.sh DIR
# Nothing is installed twice. On Linux PyPI's PyTorch brings CUDA along, 6 GB in all, although only
# the CPU is used unless the benchmark is told otherwise; whoever has a smaller build of it points
# PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS at it, or gives the benchmark other interpreters with --python
# and --python-of-lens-4.
set -euo pipefail
dir=${1:?the folder to install into}

# install NAME PACKAGE…
install() {
  local venv=$dir/$1
  shift
  # A run that was cut short starts again.
  if [[ -e $venv/complete ]] && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  echo "installing the Python peers into $venv, once" >&2
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  touch "$venv/complete"
}

# Other bounds than on TransformerLens itself are what 2.18 works with.
install venv "transformer-lens<3" "pyarrow<18" "datasets<3" transformers torch
install venv-lens-4 "transformer-lens>=4,<5" transformers torch
