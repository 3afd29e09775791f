#!/usr/bin/env bash
# What a machine with a graphics card says of Factscope, in ten minutes at most: the self-test of the
# adapter, `verify` on it, and forward passes and maps of GPT-2-large's size beside PyTorch on the same
# card, with the kernels that a map starts and the bytes that it reads back.
#
# benches/gpu.sh [OUT]
#
# Writes what each part printed into OUT (a new folder), and shows its end; speed.md is the report. Each has
# its time and is cut off then; what it has found by then stays. A machine that cannot build is given
# what was built elsewhere:
#
#   FACTSCOPE_PROGRAM  the program; otherwise `cargo run`
#   FACTSCOPE_BENCH    the benchmark `speed`, of `cargo bench --bench speed --no-run`; otherwise cargo's
#   BENCH_SIZE         gpt2-large, or gpt2, gpt2-medium, gpt2-xl
#   BENCH_CACHE        where the random model and the Python peers are (~/.cache/factscope-bench)
#   BENCH_MODEL        a model folder in place of a random model
#   BENCH_PYTHON       the Python that has torch and transformers, if it is another
#   BENCH_SECONDS      of all parts together (600)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
out=${1:-$(mktemp --directory)}
mkdir -p "$out"
cache=${BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/factscope-bench}
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$out}
program=(cargo run --quiet --release --locked --)
[[ -z ${FACTSCOPE_PROGRAM:-} ]] || program=("$FACTSCOPE_PROGRAM")
bench=(cargo bench --quiet --locked --bench speed --)
[[ -z ${FACTSCOPE_BENCH:-} ]] || bench=("$FACTSCOPE_BENCH" --bench)
end=$((SECONDS + ${BENCH_SECONDS:-600}))

# part NAME SECONDS COMMAND…: runs a part, at most as long as all have left, into OUT/NAME.txt.
part() {
  local name=$1 limit=$2 left=$((end - SECONDS)) begun=$SECONDS status=0
  shift 2
  ((limit < left)) || limit=$left
  if ((limit <= 0)); then
    echo "$name: no time left"
    return
  fi
  timeout --kill-after=5 "$limit" "$@" >"$out/$name.txt" 2>&1 || status=$?
  if ((status == 124 || status == 137)); then
    echo "$name: cut off after $limit s"
  else
    echo "$name: $((SECONDS - begun)) s, exit status $status"
  fi
  [[ ! -s $out/$name.txt ]] || tail --lines=40 "$out/$name.txt" | sed 's/^/  /'
}

part adapter 10 nvidia-smi
part devices 20 "${program[@]}" devices
part self-test 90 "${program[@]}" --device wgpu devices --test
part verify 150 "${program[@]}" --device wgpu verify
python=()
[[ -z ${BENCH_PYTHON:-} ]] || python=(--python "$BENCH_PYTHON")
model=(--size "${BENCH_SIZE:-gpt2-large}")
[[ -z ${BENCH_MODEL:-} ]] || model=(--model "$BENCH_MODEL")
part speed 350 "${bench[@]}" --on gpu "${model[@]}" --cache "$cache" --cells 5 \
  --only forward,trace --out "$out/speed.md" "${python[@]}"
