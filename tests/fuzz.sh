#!/usr/bin/env bash
# Fuzzes the readers of the program, led by which parts of it an input reaches. Linux only.
#
#   tests/fuzz.sh [--seed N] [--runs N] [--seconds S] [--corpus DIR] [TARGET…]
#
# Without a TARGET all of `tests/fuzz/targets.rs` are fuzzed, one after the other. Each ends after --runs
# inputs or --seconds, whichever comes first. DIR keeps what was found; its next run begins with that.
# An input that must not be is kept in DIR/TARGET/findings; one that ends the process is DIR/TARGET/current,
# behind its length in 8 bytes. Once mended, it goes to tests/fuzz/findings/TARGET, where the tests read it.
set -euo pipefail
cd "$(dirname "$0")/.."
seed=1 runs=1000000000 seconds=60
target=${CARGO_TARGET_DIR:-target}
corpus=$target/fuzz
targets=()
while (($# > 0)); do
  case $1 in
  --seed) seed=$2 && shift 2 ;;
  --runs) runs=$2 && shift 2 ;;
  --seconds) seconds=$2 && shift 2 ;;
  --corpus) corpus=$2 && shift 2 ;;
  *) targets+=("$1") && shift ;;
  esac
done
export RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/instrument.sh
cargo build --release --locked --example fuzz
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <("$target/release/examples/fuzz" --list)
fi
found=0
for it in "${targets[@]}"; do
  "$target/release/examples/fuzz" "$it" "$seed" "$runs" "$seconds" "$corpus" || found=1
done
exit "$found"
