#!/bin/sh
# Stands before rustc where `tests/fuzz.sh` builds: has the program's own library say where a run went.
# Cargo gives it the compiler and its arguments.
compiler=$1
shift
case " $* " in
*" --crate-name factscope "*" --crate-type lib "*)
  set -- "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-trace-compares
  ;;
esac
exec "$compiler" "$@"
