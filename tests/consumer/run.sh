#!/usr/bin/env bash
# Installs the built library into a folder, builds the consumer project against it with CMake and with
# pkg-config, runs both, and checks that only quartic_ symbols are exported and the SONAME has a version.
# Usage: run.sh <build folder> <source folder> <work folder>
set -euo pipefail
build=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/prefix" > "$work/install.log"
cmake -S "$source/tests/consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" > "$work/configure.log"
cmake --build "$work/build" || exit 1
"$work/build/consumer_c"
"$work/build/consumer_cpp"

library=$(find "$work/prefix" -name 'libquartic.so' | head -n 1)
pc=$(dirname "$(find "$work/prefix" -name quartic.pc)")
eval "flags=($(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs quartic))" # blanks in paths come escaped
cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$source/tests/consumer/consumer.c" "${flags[@]}" \
    -Wl,-rpath,"$(dirname "$library")" -o "$work/by_pkg_config"
"$work/by_pkg_config"

foreign=$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -v '^quartic_' || true)
[ -z "$foreign" ] || { echo "exported but not the library's own: $foreign" >&2; exit 1; }
readelf -d "$library" | grep -q 'SONAME.*libquartic\.so\.[0-9]' || { echo "no versioned SONAME" >&2; exit 1; }
