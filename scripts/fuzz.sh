#!/usr/bin/env bash
# Fuzzes the parsers with libFuzzer under AddressSanitizer and UBSan: scripts/fuzz.sh [TARGET] [RUNS].
# Needs clang and libclang-rt-14-dev. New inputs go to build-fuzz/TARGET; the corpus in tests/fuzz/corpus is read.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-safetensors} runs=${2:-1000000}
mkdir -p "build-fuzz/$target"
mapfile -t sources < <(find src/base src/tensor src/io -name '*.c' | sort)
# shellcheck disable=SC2046
clang -std=gnu17 -g -O1 -fno-strict-aliasing -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -Iinclude -Isrc $(pkg-config --cflags jansson) "tests/fuzz/${target}_fuzz.c" "${sources[@]}" \
    -o "build-fuzz/$target-fuzzer" $(pkg-config --libs jansson) -lm
"build-fuzz/$target-fuzzer" -runs="$runs" -max_len=1024 -seed=1 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict="tests/fuzz/$target.dict" -artifact_prefix="build-fuzz/$target-" "build-fuzz/$target" "tests/fuzz/corpus/$target"
