#!/usr/bin/env bash
# Fuzzes a parser with libFuzzer under AddressSanitizer and UBSan: scripts/fuzz.sh [TARGET] [RUNS].
# Targets: safetensors, config. Needs clang, libclang-rt-14-dev and libomp-dev. New inputs gather in
# build-fuzz/inputs-TARGET; the corpus in tests/fuzz/corpus is read only.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-safetensors} runs=${2:-1000000}
cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQUARTIC_FUZZER=ON \
    -DCMAKE_C_FLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" >/dev/null
cmake --build build-fuzz --target "fuzz_$target"
mkdir -p "build-fuzz/inputs-$target"
"build-fuzz/tests/fuzz/fuzz_$target" -runs="$runs" -max_len=1024 -seed=1 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict="tests/fuzz/$target.dict" -artifact_prefix="build-fuzz/$target-" "build-fuzz/inputs-$target" \
    "tests/fuzz/corpus/$target"
