#!/usr/bin/env bash
# swiftshader.sh [BUILD] [COMMAND]: the library on a second software Vulkan, SwiftShader, as Debian's chromium has it.
# BUILD is the build folder (default build); the driver is unpacked to BUILD/swiftshader and not installed. Runs
# `quartic validate`, every recording, and a training run that is repeated: the same losses, and lower at the end.
# COMMAND is run instead of these, with VK_DRIVER_FILES set to the driver.
#
# SwiftShader compiles slowly: a matrix product's pipeline takes seconds, and everything here half an hour of two
# cores. Not part of scripts/test.sh. The Vulkan tests run on it, too, or on any other driver:
#     QUARTIC_TEST_DEVICE=$PWD/build/swiftshader/icd.json ctest --test-dir build -L '^vulkan$'
# Packages come from where apt gets them, $QUARTIC_SWIFTSHADER_DEB names a file instead.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
shift || true
[ -x "$build/quartic" ] || { echo "swiftshader.sh needs a build in $build: cmake -S . -B $build && cmake --build $build" >&2; exit 1; }
build=$(cd "$build" && pwd)
folder=$build/swiftshader

if [ ! -e "$folder/icd.json" ]; then
    mkdir -p "$folder/unpacked"
    deb=${QUARTIC_SWIFTSHADER_DEB:-}
    if [ -z "$deb" ]; then
        (cd "$folder" && apt-get download chromium-common)
        deb=$(ls -t "$folder"/chromium-common_*.deb | head -n 1)
    fi
    # Newer packages have the driver in chromium-common, older ones in chromium.
    dpkg-deb -x "$deb" "$folder/unpacked"
    library=$(find "$folder/unpacked" -name libvk_swiftshader.so | head -n 1)
    if [ -z "$library" ] && [ -z "${QUARTIC_SWIFTSHADER_DEB:-}" ]; then
        (cd "$folder" && apt-get download chromium)
        dpkg-deb -x "$(ls -t "$folder"/chromium_*.deb | head -n 1)" "$folder/unpacked"
        library=$(find "$folder/unpacked" -name libvk_swiftshader.so | head -n 1)
    fi
    [ -n "$library" ] || { echo "swiftshader.sh: $deb has no libvk_swiftshader.so" >&2; exit 1; }
    mv "$library" "$folder/libvk_swiftshader.so"
    rm -r "$folder/unpacked"
    printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' \
        "$folder/libvk_swiftshader.so" >"$folder/icd.json"
fi
# Loaders before 1.3.207 know the second name only.
export VK_DRIVER_FILES=$folder/icd.json VK_ICD_FILENAMES=$folder/icd.json QUARTIC_DISABLE=${QUARTIC_DISABLE:-cache}
if [ $# -gt 0 ]; then
    exec "$@"
fi

quartic=$build/quartic
"$quartic" devices | grep -i swiftshader || { echo "swiftshader.sh: the driver in $folder shows no device" >&2; exit 1; }
"$quartic" validate --device vulkan
"$quartic" verify --device vulkan tests/golden/*.safetensors tests/golden/extra/*.safetensors

# train NAME: 30 steps of a small model.
run=$folder/run
rm -rf "$run" && mkdir -p "$run"
cat >"$run/model.json" <<'JSON'
{"dim": 32, "depth": 2, "dim_edges": 16, "heads": 2, "dim_head": 16, "linear_heads": 2, "linear_dim_head": 8}
JSON
train() {
    "$quartic" train data/tales.txt --device vulkan --config "$run/model.json" --batch 2 --length 32 --steps 30 --learning-rate 0.01 --seed 1 --out "$run/$1"
}
train first
train second
cmp "$run/first/checkpoint.safetensors" "$run/second/checkpoint.safetensors"
# The loss is the second column: less at the end than at the beginning, and the same on the CPU within a hundredth.
"$quartic" train data/tales.txt --device cpu --config "$run/model.json" --batch 2 --length 32 --steps 30 --learning-rate 0.01 --seed 1 --out "$run/cpu"
begin=$(sed -n 2p "$run/first/metrics.csv" | cut -d, -f2)
end=$(tail -n 1 "$run/first/metrics.csv" | cut -d, -f2)
cpu=$(tail -n 1 "$run/cpu/metrics.csv" | cut -d, -f2)
echo "loss $begin at the first step, $end at the last; $cpu on the CPU"
awk -v begin="$begin" -v end="$end" -v cpu="$cpu" 'BEGIN {exit !(end < begin && end < 1.01 * cpu && end > 0.99 * cpu)}' ||
    { echo "swiftshader.sh: training went wrong" >&2; exit 1; }
