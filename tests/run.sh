#!/usr/bin/env bash
# Installs what a bare Debian or Ubuntu machine lacks, then passes the tests.
#
# Needs Rust (rustup). Other arguments go to `cargo test`, e.g. `tests/run.sh --test engine`.
set -euo pipefail
cd "$(dirname "$0")/.."

# A C linker for Rust; a software Vulkan driver, since tests compute and draw on it; a virtual
# display with a hand and an eye for the test of the real window.
packages=(
  gcc libc6-dev
  libvulkan1 mesa-vulkan-drivers libegl1 libgl1-mesa-dri
  libx11-6 libx11-xcb1 libxcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon0 libxkbcommon-x11-0
  xvfb xauth xdotool x11-utils
)
if command -v apt-get >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
      grep --quiet '^installed$' || missing+=("$package")
  done
  if ((${#missing[@]} > 0)); then
    as_root=()
    [[ $(id --user) == 0 ]] || as_root=(sudo)
    "${as_root[@]}" apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install --quiet --yes \
      --no-install-recommends "${missing[@]}"
  fi
fi

# The tests find nothing in the user's folders and leave nothing there, as on a new machine; only
# cargo and rustup keep theirs, and trained models are read where `tests/fetch_models.sh` put them.
export FACTSCOPE_TEST_MODELS=${FACTSCOPE_TEST_MODELS:-$HOME/.cache/factscope-test-models}
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
home=$(mktemp --directory)
trap 'rm --recursive --force "$home"' EXIT
export HOME=$home XDG_RUNTIME_DIR=$home
unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME HF_HOME HF_HUB_CACHE

# In release: the tests run real models, and the program is built along with them.
cargo test --release --locked "$@"
