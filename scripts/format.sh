#!/usr/bin/env bash
# Formats all C sources with the .clang-format of the root; --check only reports and fails on a difference.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1:-}" = "--check" ] && mode=(--dry-run --Werror)
git ls-files '*.c' '*.h' | xargs clang-format "${mode[@]}"
