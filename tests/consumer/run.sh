#!/usr/bin/env bash
# The library as other projects meet it: installed and moved, found by CMake and by pkg-config; installed to absolute
# places; and as a part of another project on a system without the packages that only tool and tests need.
# Usage: run.sh <build folder> <source folder> <work folder> <the build's QUARTIC_VULKAN>
set -euo pipefail
build=$1 source=$2 work=$3 vulkan=$4
unset LD_LIBRARY_PATH PKG_CONFIG_PATH DESTDIR
rm -rf "$work"
mkdir -p "$work"

fail() {
    echo "$*" >&2
    exit 1
}
# quiet LOG COMMAND...: prints what the command said only if it fails.
quiet() {
    local log=$work/$1.log
    shift
    "$@" > "$log" 2>&1 || { tail -40 "$log" >&2; fail "failed: $*"; }
}
# by_pkg_config PC-FOLDER PROGRAM: builds the consumer with what pkg-config says of a .pc file, and runs it.
by_pkg_config() {
    local flags
    eval "flags=($(PKG_CONFIG_PATH=$1 pkg-config --cflags --libs quartic))" # blanks in paths come escaped
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$source/tests/consumer/consumer.c" "${flags[@]}" \
        -Wl,-rpath,"$(PKG_CONFIG_PATH=$1 pkg-config --variable=libdir quartic)" -o "$2"
    quiet "$(basename "$2")" "$2"
}
# The tool runs, with the library of that folder and no other.
runs_with() {
    quiet tool "$1" devices
    quiet tool-version "$1" --version
    local loaded
    loaded=$(ldd "$1" | sed -n 's/.*libquartic[^ ]* => \(.*\) (0x.*/\1/p')
    [ "$(realpath "$(dirname "$loaded")")" = "$(realpath "$2")" ] || fail "$1 loads $loaded, not the library in $2"
}

# ---- installed, then moved ----
quiet install cmake --install "$build" --prefix "$work/first place"
mv "$work/first place" "$work/moved"
prefix=$work/moved
tool=$(find "$prefix" -path '*/bin/quartic')
library=$(find "$prefix" -name libquartic.so)
runs_with "$tool" "$(dirname "$library")"
ln -s "$tool" "$work/linked"
quiet linked "$work/linked" devices
for name in LICENSE README.md CHANGELOG.md docs/data.md docs/images/attention.png examples/02_training.c \
    examples/CMakeLists.txt share/quartic/demo.json share/quartic/tales.txt; do
    [ -n "$(find "$prefix" -path "*/$name")" ] || fail "$name is not installed"
done
quiet inspect "$tool" inspect "$(find "$prefix" -name demo.json)"
quiet configure cmake -S "$source/tests/consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
quiet build cmake --build "$work/build"
quiet consumer_c "$work/build/consumer_c"
quiet consumer_cpp "$work/build/consumer_cpp"
by_pkg_config "$(dirname "$(find "$prefix" -name quartic.pc)")" "$work/pkg_config_moved"
# The installed examples are a project of their own.
quiet examples-configure cmake -S "$(dirname "$(find "$prefix" -path '*/examples/CMakeLists.txt')")" \
    -B "$work/examples" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS=-Werror
quiet examples-build cmake --build "$work/examples"
quiet examples-run env -C "$work" "$work/examples/01_inference" cpu

foreign=$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -v '^quartic_' || true)
[ -z "$foreign" ] || fail "exported but not the library's own: $foreign"
readelf -d "$library" | grep -q 'SONAME.*libquartic\.so\.[0-9]' || fail "no versioned SONAME"

# ---- built for absolute places ----
# Debug and without Vulkan, since only where things lie is looked at.
small=(-G Ninja -DCMAKE_BUILD_TYPE=Debug -DQUARTIC_VULKAN=OFF)
[ -z "${CMAKE_C_COMPILER_LAUNCHER:-}" ] || small+=("-DCMAKE_C_COMPILER_LAUNCHER=$CMAKE_C_COMPILER_LAUNCHER")
absolute=$work/absolute
quiet absolute-configure cmake -S "$source" -B "$work/absolute-build" "${small[@]}" -DQUARTIC_TESTS=OFF \
    -DQUARTIC_EXAMPLES=OFF -DCMAKE_C_FLAGS=-Werror -DCMAKE_INSTALL_PREFIX="$absolute/prefix" \
    -DCMAKE_INSTALL_LIBDIR="$absolute/some/lib" -DCMAKE_INSTALL_INCLUDEDIR="$absolute/other/include"
quiet absolute-build cmake --build "$work/absolute-build"
quiet absolute-install cmake --install "$work/absolute-build"
pc=$absolute/some/lib/pkgconfig
for place in libdir=some/lib includedir=other/include; do
    got=$(PKG_CONFIG_PATH=$pc pkg-config --variable="${place%%=*}" quartic)
    [ "$got" = "$absolute/${place#*=}" ] || fail "${place%%=*} of quartic.pc is $got, not $absolute/${place#*=}"
done
by_pkg_config "$pc" "$work/pkg_config_absolute"
runs_with "$absolute/prefix/bin/quartic" "$absolute/some/lib"
# The tool in another prefix than was configured: the library lies where it was.
quiet other-install cmake --install "$work/absolute-build" --prefix "$work/other prefix"
runs_with "$work/other prefix/bin/quartic" "$absolute/some/lib"
quiet absolute-find cmake -S "$source/tests/consumer" -B "$work/absolute-consumer" -G Ninja \
    -Dquartic_DIR="$absolute/some/lib/cmake/quartic"
if [ "$vulkan" = ON ]; then # consumer.cpp includes quartic/vulkan.h
    quiet absolute-consumer cmake --build "$work/absolute-consumer"
fi
# Only libdir absolute: headers follow the prefix of the install step.
quiet mixed-configure cmake -S "$source" -B "$work/absolute-build" -DCMAKE_INSTALL_INCLUDEDIR=include \
    -DCMAKE_INSTALL_LIBDIR="$work/mixed/lib"
quiet mixed-install cmake --install "$work/absolute-build" --prefix "$work/mixed/prefix"
got=$(PKG_CONFIG_PATH=$work/mixed/lib/pkgconfig pkg-config --variable=includedir quartic)
[ "$got" = "$work/mixed/prefix/include" ] || fail "includedir of quartic.pc is $got, not $work/mixed/prefix/include"

# ---- as a part of another project ----
# On a system that has no cmocka, jansson, cairo or BLAS: pkg-config finds nothing, headers are no headers.
mkdir -p "$work/hidden/cairo" "$work/empty"
for header in jansson.h cairo.h cairo/cairo.h cmocka.h cblas.h; do
    echo '#error "the library alone needs no such header"' > "$work/hidden/$header"
done
hidden=(env PKG_CONFIG_LIBDIR="$work/empty")
[ "$vulkan" = OFF ] || small=("${small[@]/-DQUARTIC_VULKAN=OFF/-DQUARTIC_VULKAN=ON}")
quiet part-configure "${hidden[@]}" cmake -S "$source/tests/consumer" -B "$work/part" "${small[@]}" \
    -DQUARTIC_SOURCE="$source" -DCMAKE_C_FLAGS="-Werror -I\"$work/hidden\""
quiet part-build "${hidden[@]}" cmake --build "$work/part"
quiet part-c "$work/part/consumer_c"
quiet part-cpp "$work/part/consumer_cpp"
tests=$(ctest --test-dir "$work/part" -N | sed -n 's/^Total Tests: //p')
[ "$tests" = 0 ] || fail "add_subdirectory brings $tests tests along"
needs=$(readelf -d "$(find "$work/part" -name libquartic.so)" | grep NEEDED)
! grep -Ei 'jansson|cairo|blas|cmocka' <<< "$needs" || fail "the library alone needs more than it should"
grep -q -- '-std=c17' "$work/part/build.ninja" || fail "the library is not built as strict C17"
quiet part-install cmake --install "$work/part" --prefix "$work/part-prefix"
[ ! -e "$work/part-prefix/include" ] || fail "a part of another project installs itself unasked"
