#!/usr/bin/env bash
# Formats all C sources with the .clang-format of the root; --check only reports and fails on a difference.
# $CLANG_FORMAT names another program than clang-format, whose version must be 14: others format otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
format=${CLANG_FORMAT:-clang-format}
"$format" --version | grep -q 'version 14\.' || { echo "$format is not version 14: $("$format" --version)" >&2; exit 1; }
mode=(-i)
[ "${1:-}" = "--check" ] && mode=(--dry-run --Werror)
find examples include shaders src tests -name '*.[ch]' -print0 | xargs -0 -P 4 -n 64 "$format" "${mode[@]}"
