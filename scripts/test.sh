#!/usr/bin/env bash
# Installs what is missing, builds in build/ and runs every test. Fails on the first failing step.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh
cmake -S . -B build -G Ninja
cmake --build build
ctest --test-dir build --output-on-failure
