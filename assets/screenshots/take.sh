#!/usr/bin/env bash
# Takes the README's pictures anew: the window under a virtual display, and figures from commands.
#
# Needs Xvfb and xauth (`tests/run.sh` installs them), and Debian's `chromium` for the report. Pictures depend on the program, the built-in
# model and nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=assets/screenshots
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp --directory)}
# Nobody's settings are seen or changed.
home=$(mktemp --directory)
trap 'rm -rf "$home"' EXIT

cargo build --release --locked
factscope=${CARGO_TARGET_DIR:-target}/release/factscope

window() { # FILE VIEW WxH MORE...
  local file=$1 view=$2 size=$3
  shift 3
  HOME=$home XDG_DATA_HOME=$home xvfb-run --auto-servernum \
    --server-args="-noreset -screen 0 ${size}x24" \
    "$factscope" explore --device cpu --theme light --size "$size" --view "$view" \
    --screenshot "$here/$file" "$@"
}

figure() { # FILE COMMAND MORE...
  local file=$1 command=$2
  shift 2
  "$factscope" "$command" --device cpu --facts builtin --case 2 --quiet \
    --figure "$here/$file" --out "$home/result.json" "$@"
}

window window.png attention 1600x1000 --trace mlp
window comparison.png comparison 1600x1000 --trace mlp
"$factscope" attribute --device cpu --facts builtin --case 2 --by heads --save-spec "$home/heads.json"
"$factscope" sweep "$home/heads.json" --device cpu --both-ways --n 60 --quiet --out "$home/heads-of-60-facts"
window sweep.png sweep 1600x1500 --sweep "$home/heads-of-60-facts"
figure trace.svg trace --kind mlp --window 2
figure knockout.svg knockout
figure ablation.svg ablate --part heads
figure attribution.svg attribute --by layers
figure lens.svg lens
figure routes.svg contributions
"$factscope" average --device cpu --n 60 --kind mlp --window 2 --quiet \
  --figure "$here/averages.svg" --out "$home/result.json"

# The page that `factscope report` writes, as Chromium shows it.
"$factscope" report tests/fixtures/views.factscope --only 5 --title "Where “Paris” comes from" \
  --out "$home/report.html"
HOME=$home chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
  --blink-settings=preferredColorScheme=1 --window-size=960,1380 \
  --screenshot="$here/report.png" "file://$home/report.html"
