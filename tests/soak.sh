#!/usr/bin/env bash
# Uses the window for a long time, as a hand would that does anything at random, and fails where it panics,
# keeps memory or takes long for a frame. It prints the seed by which the same is done again.
#
# Usage: tests/soak.sh [SEED [ACTIONS]]
#
# Of 10,000 actions, which take two minutes, the first half warms the window up, and the second is looked at.
set -euo pipefail
cd "$(dirname "$0")/.."
# The C library gives each thread a part of the memory, and keeps it: that would look like growth. The program
# has another allocator.
export MALLOC_ARENA_MAX=1
# It also learns to keep what is large in that part, where a small thing behind it holds it for ever.
export MALLOC_MMAP_THRESHOLD_=131072
export FACTSCOPE_SOAK="${1:-$(date +%s)} ${2:-10000}"
exec tests/run.sh --test window -- --ignored --exact --nocapture \
  soak::thousands_of_actions_leave_nothing_behind
