#!/usr/bin/env bash
# Proves docs/adding-an-op.md: takes its code blocks, adds them to a copy of the source, builds the tool,
# validates the new op on the given devices and runs its test of invalid input. Usage: adding_an_op.sh <source folder> <work folder> <device>...
set -euo pipefail
source_dir=$1 work=$2
shift 2
rm -rf "$work/source"
mkdir -p "$work/source"
(cd "$source_dir" && tar cf - CMakeLists.txt cmake include src shaders data/countries.csv tests/unit tests/*.[ch] tests/check_op_tests.py) | tar xf - -C "$work/source"
cd "$work/source"

# Writes the fenced block that follows the line `path` of the document to stdout.
block() {
    awk -v path="\`$1\`" '$0 == path { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' "$source_dir/docs/adding-an-op.md"
}
test=tests/unit/invalid_softplus_test.c
for file in shaders/softplus.args.h shaders/softplus.comp src/ops/softplus.c $test; do
    block "$file" > "$file"
    [ -s "$file" ] || { echo "docs/adding-an-op.md has no block for $file" >&2; exit 1; }
done
line=$(block src/ops/op_list.h)
[ "$line" = "X(softplus)" ] || { echo "docs/adding-an-op.md does not give the line of op_list.h" >&2; exit 1; }
sed -i "s|^    X(reshape).*|    $line \\\\\n&|" src/ops/op_list.h

cmake -S . -B "$work/build" -G Ninja -DQUARTIC_TESTS=OFF -DQUARTIC_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=Release > "$work/configure.log"
cmake --build "$work/build" --target quartic_tool > "$work/build.log" || { tail -40 "$work/build.log" >&2; exit 1; }
ninja -C "$work/build" -t cleandead > /dev/null # objects of sources that an earlier run still had
for device in "$@"; do
    "$work/build/quartic" validate --op softplus --device "$device"
done

python3 tests/check_op_tests.py .
rm -f "$work/check.log"
mv "$test" "$work/"
if python3 tests/check_op_tests.py . > "$work/check.log"; then
    echo "check_op_tests.py does not notice that softplus has no test" >&2
    exit 1
fi
grep -q "^softplus: " "$work/check.log"
mv "$work/invalid_softplus_test.c" "$test"
# shellcheck disable=SC2046 # one word for each object and library
cc -std=c17 -D_POSIX_C_SOURCE=200809L -Iinclude -Isrc -I. -Itests "$test" tests/invalid_input.c \
    $(find "$work/build/CMakeFiles/quartic_objects.dir" -name '*.o') -lm -ldl -fopenmp -pthread \
    $(pkg-config --cflags --libs cmocka) -o "$work/invalid_softplus"
"$work/invalid_softplus"
