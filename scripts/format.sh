#!/usr/bin/env bash
# Formats all C sources and all GLSL with the .clang-format of the root; --check only reports and fails on a difference.
# $CLANG_FORMAT names another program than clang-format, whose version must be 14: others format otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
format=${CLANG_FORMAT:-clang-format}
"$format" --version | grep -q 'version 14\.' || { echo "$format is not version 14: $("$format" --version)" >&2; exit 1; }
mode=(-i)
[ "${1:-}" = "--check" ] && mode=(--dry-run --Werror)
find examples include shaders src tests -name '*.[ch]' -print0 | xargs -0 -P 4 -n 64 "$format" "${mode[@]}"

# GLSL is formatted as C. Its `[[unroll]] for` becomes a loop macro of the same width meanwhile (.clang-format names it).
formatted=$(mktemp)
trap 'rm -f "$formatted"' EXIT
differing=0
while IFS= read -r -d '' shader; do
    sed 's/\[\[unroll\]\] for/unrolled___for/g' "$shader" | "$format" --assume-filename="$shader.c" |
        sed 's/unrolled___for/[[unroll]] for/g' > "$formatted"
    cmp -s "$formatted" "$shader" && continue
    if [ "${1:-}" = "--check" ]; then
        diff -u "$shader" "$formatted" >&2 || differing=1
    else
        cat "$formatted" > "$shader"
    fi
done < <(find shaders -name '*.comp' -print0 -o -name '*.glsl' -print0)
exit "$differing"
