#!/usr/bin/env bash
# Makes the numbers and the pictures of docs/findings.md anew.
#
# docs/findings.sh [PART…]
#
# Parts are recall, traces, knockout, attribution, edits and pictures; all of them without one. Recall
# comes first: it finds the facts that the others ask.
# What is found goes to the folder FINDINGS (`findings`), where a part that was stopped goes on.
# FACTSCOPE names the program, ASKED the models (by default `builtin smollm2`; there are also
# `builtin-planted` and `gemma3`), MODELS the folder that tests/fetch_models.sh fills, and THREADS how
# many threads each command has. DATA names a folder with ROME's known_1000.json and counterfact.json;
# recall leaves out what is not there.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
program=${FACTSCOPE:-$top/target/release/factscope}
models=${MODELS:-$HOME/.cache/factscope-test-models}
found=${FINDINGS:-findings}
threads=${THREADS:-1}
drawn=${PICTURES:-$top/assets/screenshots/findings}
read -ra asked <<<"${ASKED:-builtin smollm2}"
mkdir --parents "$found" "$drawn"

fs() { "$program" "$@" --device cpu --threads "$threads" --quiet; }

path() {
  case $1 in
    smollm2) echo "$models/SmolLM2-135M-Instruct.Q4_1.gguf" ;;
    gemma3) echo "$models/gemma-3-270m-q4_k_m.gguf" ;;
    *) echo "$1" ;;
  esac
}

# Of the built-in models all facts are asked, of the trained ones 150 that are drawn. BOS stands before
# every prompt, so that the first token, on which attention rests, is never the subject's.
recall() {
  local which file n
  for which in "${asked[@]}"; do
    n=()
    [[ $which == builtin* ]] || n=(--n 150)
    fs recall --model "$(path "$which")" --bos --facts builtin --own-words "${n[@]}" \
      --out "$found/recall-$which.json"
    for file in known_1000 counterfact; do
      # The built-in models have seen none of ROME's facts.
      [[ $which != builtin* && -f ${DATA:-}/$file.json ]] || continue
      fs recall --model "$(path "$which")" --bos --facts "$DATA/$file.json" --own-words --n 200 \
        --out "$found/recall-$file-$which.json"
    done
  done
}

# cases MODEL: `--case ID` for each fact whose answers are among the model's first ten guesses both ways.
cases() {
  python3 - "$found/recall-$1.json" <<'END'
import json, sys
known = {}
for it in json.load(open(sys.argv[1]))["facts"]:
    if it["recall"]["rank"] < 10:
        known.setdefault(it["case"], set()).add(it["direction"])
print(*(f"--case {case}" for case, ways in known.items() if len(ways) == 2))
END
}

# each NAME N_BUILTIN N_TRAINED "SWEEP'S FLAGS" COMMAND MORE…: asks each model what the command asks, of
# so many of the facts that it knows both ways, or of all.
each() {
  local name=$1 n_builtin=$2 n_trained=$3 flags=$4 which n
  shift 4
  for which in "${asked[@]}"; do
    if [[ $which == builtin* ]]; then n=$n_builtin; else n=$n_trained; fi
    [[ $n -gt 0 ]] || continue
    fs "$@" --model "$(path "$which")" --bos --facts builtin --case 2 \
      --save-spec "$found/$name-$which.json"
    # shellcheck disable=SC2046,SC2086
    fs sweep "$found/$name-$which.json" --facts builtin $(cases "$which") --known both --known-by ten \
      $flags --n "$n" --out "$found/$name-$which"
  done
}

traces() {
  local kind
  for kind in hidden mlp attn; do
    each "trace-$kind" 100 10 "--both-ways --figure-metric log-prob --figure-effect indirect" \
      trace --kind "$kind" --samples 1 --noise-rng chacha
  done
}

knockout() { each knockout 100 12 --both-ways knockout; }

attribution() {
  each heads 100 40 --both-ways attribute --by heads --minus-corruption resample --samples 3 --scale-of clean
}

edits() { each edit 25 0 "--layers 0,1,2,3,4" edit --layer 0; }

# picture NAME MODEL CHART: one chart of a sweep, where the sweep is there.
picture() {
  [[ -d $found/$1-$2 ]] || return 0
  "$program" population "$found/$1-$2" --figure-chart "$3" --figure-width two-columns --no-caption \
    --figure "$drawn/$1-$2.svg" --out "$found/$1-$2-means.json"
}

pictures() {
  local which
  for which in "${asked[@]}"; do
    picture trace-hidden "$which" "Causal trace, Indirect effect on ln p(answer): fact"
    picture trace-mlp "$which" "Causal trace, Indirect effect on ln p(answer): fact"
    picture knockout "$which" "Attention knockout, Change of ln p(answer): fact"
    picture heads "$which" "Differences of heads, Clean − corrupted contribution (logits): fact"
  done
}

for part in "${@:-recall traces knockout attribution edits pictures}"; do
  # shellcheck disable=SC2086
  for one in $part; do
    echo "== $one"
    "$one"
  done
done
