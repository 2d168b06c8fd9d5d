#!/usr/bin/env bash
# Builds with sanitizers and runs the unit and cpu tests: scripts/sanitize.sh [address|thread] [CTEST ARGUMENTS]
#   address   AddressSanitizer with LeakSanitizer, and UBSan, in build-sanitize (the default)
#   thread    ThreadSanitizer, in build-thread; OpenMP runs one thread, as it cannot look into libgomp's barriers,
#             so it watches the threads of tests, not those of tuned kernels
# CTest arguments choose among the tests: scripts/sanitize.sh thread -R cpu.model_repeats
# What sanitizers must know of foreign code is in tests/sanitize/settings.c.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=address
case "${1:-}" in address | thread) kind=$1 && shift ;; esac
if [ "$kind" = address ]; then
    folder=build-sanitize
    cmake --preset sanitize > /dev/null
else
    folder=build-thread
    cmake --preset sanitize -B "$folder" -DQUARTIC_SANITIZE=thread > /dev/null
    export OMP_THREAD_LIMIT=1
fi
cmake --build "$folder"
ctest --test-dir "$folder" -L '^(unit|cpu)$' --output-on-failure "$@"
