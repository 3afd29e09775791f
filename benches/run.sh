#!/usr/bin/env bash
# Measures Factscope beside ROME's procedure, transformers and TransformerLens 2 and 4, and the window's
# frames.
#
# Installs the Python peers into ~/.cache/factscope-bench (BENCH_CACHE names another folder), where a
# random GPT-2-large of 3.1 GB is kept too. Prints Markdown, and keeps it there as report.md and
# window.md. Arguments go to the first benchmark: see `benches/run.sh --help`.
#
# Wants a quiet machine and 20 GiB of memory; takes about a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/factscope-bench}
mkdir -p "$cache"

# Without them the rest is still measured, and the report says which peers are missing.
benches/install_peers.sh "$cache" ||
  echo "the Python peers could not be installed; they will be missing from the report" >&2

# In one go, so that nothing is compiled while something is measured.
cargo bench --locked --bench speed --bench window --no-run

# `--help` and the like, which measure nothing.
for argument in "$@"; do
  case $argument in
    -h | --help | -V | --version) exec cargo bench --quiet --locked --bench speed -- "$@" ;;
  esac
done
# Mesa complains without one.
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp --directory)}
status=0
cargo bench --quiet --locked --bench speed -- --cache "$cache" --out "$cache/report.md" "$@" ||
  status=$?
cargo bench --quiet --locked --bench window -- --cache "$cache" --out "$cache/window.md" ||
  status=$?
exit $status
