#!/usr/bin/env bash
# Proves docs/adding-an-op.md: takes its code blocks, adds them to a copy of the source, builds the tool and
# validates the new op on the given devices. Usage: adding_an_op.sh <source folder> <work folder> <device>...
set -euo pipefail
source_dir=$1 work=$2
shift 2
rm -rf "$work/source"
mkdir -p "$work/source"
(cd "$source_dir" && tar cf - CMakeLists.txt cmake include src shaders) | tar xf - -C "$work/source"
cd "$work/source"

# Writes the fenced block that follows the line `path` of the document to stdout.
block() {
    awk -v path="\`$1\`" '$0 == path { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' "$source_dir/docs/adding-an-op.md"
}
for file in shaders/softplus.args.h shaders/softplus.comp src/ops/softplus.c; do
    block "$file" > "$file"
    [ -s "$file" ] || { echo "docs/adding-an-op.md has no block for $file" >&2; exit 1; }
done
line=$(block src/ops/op_list.h)
[ "$line" = "X(softplus)" ] || { echo "docs/adding-an-op.md does not give the line of op_list.h" >&2; exit 1; }
sed -i "s|^    X(reshape).*|    $line \\\\\n&|" src/ops/op_list.h

cmake -S . -B "$work/build" -G Ninja -DQUARTIC_TESTS=OFF -DQUARTIC_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=Release > "$work/configure.log"
cmake --build "$work/build" --target quartic_tool > "$work/build.log" || { tail -40 "$work/build.log" >&2; exit 1; }
for device in "$@"; do
    "$work/build/quartic" validate --op softplus --device "$device"
done
