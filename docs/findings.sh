#!/usr/bin/env bash
# Makes the numbers and the pictures of docs/findings.md anew.
#
# docs/findings.sh [PART…]
#
# Parts are recall, traces, knockout, attribution, edits, steering, changes, needed, rome and pictures; all of
# them without one. Recall comes first: it finds the facts that the others ask.
# What is found goes to the folder FINDINGS (`findings`), where a part that was stopped goes on.
# FACTSCOPE names the program, ASKED the models (by default `builtin smollm2`; there are also
# `builtin-planted` and `gemma3`), MODELS the folder that tests/fetch_models.sh fills, and THREADS how
# many threads each command has. DATA names a folder with ROME's known_1000.json and counterfact.json;
# recall and rome leave out what is not there. PYTHON names a Python with pandas and pyarrow, for needed.
# Of CounterFact the page asks 1,351 of its 21,919 records; of all of them others would be drawn.
# N_ROME is how many of the known facts and inverses of each of ROME's datasets the part rome asks, in place of
# the page's numbers.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
program=${FACTSCOPE:-$top/target/release/factscope}
models=${MODELS:-$HOME/.cache/factscope-test-models}
found=${FINDINGS:-findings}
threads=${THREADS:-1}
python=${PYTHON:-python3}
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

# cases RECALL [WAY GUESSES]: `--case ID` for each fact whose answer is among so many first guesses of the
# model asked this way, `forward` or `inverse`; without, among ten both ways.
cases() {
  python3 - "$found/recall-$1.json" "${@:2}" <<'END'
import json, sys
file, *way = sys.argv[1:]
ways, guesses = ({way[0]}, int(way[1])) if way else ({"forward", "inverse"}, 10)
known = {}
for it in json.load(open(file))["facts"]:
    if it["recall"]["rank"] < guesses:
        known.setdefault(it["case"], set()).add(it["direction"])
print(*(f"--case {case}" for case, found in known.items() if ways <= found))
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

edits() {
  local all=("${asked[@]}") which layers
  for which in "${all[@]}"; do
    case $which in
      smollm2) layers=0,11,22 ;;
      gemma3) layers=0,6,11 ;;
      *) layers=0,1,2,3,4 ;;
    esac
    asked=("$which")
    each edit 25 10 "--layers $layers" edit --layer 0
  done
  asked=("${all[@]}")
}

# What a fact and its inverse lose without the five heads without which the fact loses most, and without five
# others that are drawn.
changes() {
  each parts 50 10 "" ablate --together 5 --random 10
}

# Steers the trained models at the last token, once by the fact's new answer less its old one, and once by two
# words that have nothing to do with any fact; the latter at the two highest layers only, which halves its time.
steering() {
  local all=("${asked[@]}") which layers highest scale
  for which in "${all[@]}"; do
    case $which in
      smollm2) layers=0,11,22,28 highest=22,28 scale=40 ;;
      gemma3) layers=0,6,11,16 highest=11,16 scale=2000 ;;
      *) continue ;;
    esac
    asked=("$which")
    each steer 0 10 "--layers $layers" steer --plus-token Baghdad --minus-token Cairo --layer 0 \
      --positions last --scale "$scale" --reach
    each steer-other 0 10 "--layers $highest" steer --plus-token Tuesday --minus-token window --layer 0 \
      --positions last --scale "$scale" --reach
  done
  asked=("${all[@]}")
}

# Which heads facts need: up to four facts of each of six relations that are among the model's ten first guesses.
# The five heads that most of one half need are then taken out of the model for the other half, and for the
# next words of the pages beside this script; and so are five that are drawn of all, twice, and twice of the
# same layers.
needed() {
  local which relation known cases draw heads without file recalled drawn_heads=(1 2 beside-1 beside-2)
  "$python" "$top/docs/findings.py" text "$found/text.json"
  for which in "${asked[@]}"; do
    [[ $which != builtin* ]] || continue
    known=()
    for relation in P36 P37 P30 P17 P27 P176; do
      file=$found/recall-$relation-$which.json
      [[ -f $file ]] || fs recall --model "$(path "$which")" --bos --facts builtin --relation $relation \
        --n 16 --own-words --out "$file"
      read -ra cases <<<"$(cases "$relation-$which" forward 10)"
      known+=("${cases[@]:0:8}")
    done
    fs ablate --model "$(path "$which")" --bos --facts builtin --case 2 --together 5 --random 10 \
      --save-spec "$found/needed-$which.json"
    fs sweep "$found/needed-$which.json" --facts builtin "${known[@]}" --figure-metric log-prob \
      --out "$found/needed-$which"
    "$python" "$top/docs/findings.py" heads "$found/needed-$which" | tee "$found/needed-$which.txt"
    for draw in none shared "${drawn_heads[@]}"; do
      without=$found/without-$draw-$which.gguf
      heads=()
      [[ $draw == none ]] || read -ra heads \
        <<<"$("$python" "$top/docs/findings.py" heads "$found/needed-$which" "--$draw")"
      "$python" "$top/docs/findings.py" without "$(path "$which")" "$without" "${heads[@]}"
      fs recall --model "$without" --bos --facts builtin "${known[@]}" --own-words \
        --out "$found/lost-$draw-$which.json"
      fs recall --model "$without" --bos --facts "$found/text.json" --own-words \
        --out "$found/lost-text-$draw-$which.json"
      rm "$without"
    done
    for file in lost lost-text; do
      recalled=()
      for draw in shared "${drawn_heads[@]}"; do recalled+=("$found/$file-$draw-$which.json"); done
      "$python" "$top/docs/findings.py" lost "$found/needed-$which" "$found/$file-none-$which.json" \
        "${recalled[@]}"
    done | tee "$found/lost-$which.txt"
  done
}

# rome_each NAME N "SWEEP'S FLAGS" COMMAND MORE…: asks the trained models of so many of ROME's facts, or of all:
# forward of those that are the model's first guess, as in ROME, and as inverses of those among its first ten.
rome_each() {
  local name=$1 most=${N_ROME:-$2} flags=$3 which file way guesses n=() known base spec
  shift 3
  [[ $most == all ]] || n=(--n "$most")
  for which in "${asked[@]}"; do
    for file in counterfact known_1000; do
      [[ $which != builtin* && -f ${DATA:-}/$file.json ]] || continue
      for way in forward inverse; do
        if [[ $way == forward ]]; then guesses=1; else guesses=10; fi
        read -ra known <<<"$(cases "$file-$which" "$way" "$guesses")"
        spec=$found/$name-$file-$which.json
        # The spec is of any fact of which the command can be asked.
        for base in "${known[@]}"; do
          [[ $base != --case && ! -f $spec ]] || continue
          fs "$@" --model "$(path "$which")" --bos --facts "$DATA/$file.json" --case "$base" \
            --save-spec "$spec" || true
        done
        local asked_so=()
        [[ $way == forward ]] || asked_so=(--inverse)
        # shellcheck disable=SC2086
        fs sweep "$spec" --facts "$DATA/$file.json" "${known[@]}" "${asked_so[@]}" \
          --known "$way" --known-by "$guesses" $flags "${n[@]}" --out "$found/$name-$file-$way-$which"
      done
    done
  done
}

rome_knockout() { rome_each knockout 10 "" knockout; }

rome_heads() {
  rome_each heads all "" attribute --by heads --minus-corruption resample --samples 3 --scale-of clean
}

rome_traces() {
  local kind
  for kind in hidden mlp attn; do
    rome_each "trace-$kind" 40 "--figure-metric log-prob --figure-effect indirect" \
      trace --kind "$kind" --samples 1 --noise-rng chacha
  done
}

rome() {
  rome_knockout
  rome_heads
  rome_traces
}

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
    picture knockout-counterfact-forward "$which" "Attention knockout, Change of ln p(answer): fact"
    if [[ $which == gemma3 ]]; then
      picture trace-hidden-known_1000-forward gemma3 "Causal trace, Indirect effect on ln p(answer): fact"
      picture heads-known_1000-forward gemma3 \
        "Differences of heads, Clean − corrupted contribution (logits): fact"
    fi
    picture needed "$which" "Ablation of heads, Change of ln p(answer): fact"
    picture heads "$which" "Differences of heads, Clean − corrupted contribution (logits): fact"
  done
}

for part in "${@:-recall traces knockout attribution edits steering changes needed rome pictures}"; do
  # shellcheck disable=SC2086
  for one in $part; do
    echo "== $one"
    "$one"
  done
done
