#!/usr/bin/env bash
# swiftshader.sh [BUILD] [COMMAND]: the library on a second software Vulkan, SwiftShader, as Debian's chromium has it.
# BUILD is the build folder (default build); the driver is unpacked to BUILD/swiftshader and not installed. Runs, part by
# part, `quartic validate` of each op, each recording, and a training run that is repeated: the same losses, and lower at
# the end. COMMAND is run instead of these, with VK_DRIVER_FILES set to the driver.
#
# SwiftShader compiles slowly: a pipeline of a matrix product takes seconds, an op's cases up to some minutes, and all
# parts two hours of a core. So it ends after $QUARTIC_SWIFTSHADER_MINUTES (default 60) at the latest, and the next run
# of the same program goes on with the parts that have not passed yet. What each part printed is in
# BUILD/swiftshader/parts. The exit status is 0 if all parts have passed, 1 if one failed, 3 if some are left to run.
# Not part of scripts/test.sh. The Vulkan tests run on it, too, or on any other driver:
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

minutes=${QUARTIC_SWIFTSHADER_MINUTES:-60}
[[ $minutes =~ ^[1-9][0-9]{0,3}$ ]] || { echo "swiftshader.sh: QUARTIC_SWIFTSHADER_MINUTES is \"$minutes\", not a number of minutes" >&2; exit 2; }
end=$((SECONDS + 60 * minutes))
parts=$folder/parts
mkdir -p "$parts"
# Another program begins anew.
program=$(cksum <"$quartic")
[ "$(cat "$parts/program" 2>/dev/null)" = "$program" ] || rm -f "$parts"/*
echo "$program" >"$parts/program"

# plan NAME COMMAND...: a part to run.
names=() commands=()
plan() {
    names+=("$1")
    shift
    commands+=("$(printf '%q ' "$@")")
}

# run_part NAME COMMAND: NAME.passed stands for a part that has passed, NAME.late for one that needs more time than was
# left. Those come last in the next run, so that they hold up no other.
run_part() {
    local name=$1 code=0 begun=$SECONDS
    timeout -k 10 $((end - SECONDS)) bash -c "$2" >"$parts/$name.txt" 2>&1 || code=$?
    rm -f "$parts/$name.late"
    case $code in
    0) echo "$name: passed in $((SECONDS - begun)) s" && touch "$parts/$name.passed" ;;
    124 | 137) echo "$name: not done after $((SECONDS - begun)) s" && touch "$parts/$name.late" ;;
    *)
        echo "$name: FAILED with status $code after $((SECONDS - begun)) s; $parts/$name.txt ends with"
        tail -n 5 "$parts/$name.txt"
        failed=$((failed + 1))
        ;;
    esac
}

for op in $("$quartic" validate --list); do
    plan "validate-$op" "$quartic" validate --op "$op" --device vulkan
done
# 30 steps of a small model, twice, and on the CPU.
cat >"$parts/train.sh" <<'END'
set -euo pipefail
quartic=$1 run=$2
rm -rf "$run" && mkdir -p "$run"
cat >"$run/model.json" <<'JSON'
{"dim": 32, "depth": 2, "dim_edges": 16, "heads": 2, "dim_head": 16, "linear_heads": 2, "linear_dim_head": 8}
JSON
train() {
    "$quartic" train data/tales.txt --device "$1" --config "$run/model.json" --batch 2 --length 32 --steps 30 \
        --learning-rate 0.01 --seed 1 --out "$run/$2"
}
train vulkan first
train vulkan second
train cpu cpu
cmp "$run/first/checkpoint.safetensors" "$run/second/checkpoint.safetensors"
# The loss is the second column: less at the end than at the beginning, and the same on the CPU within a hundredth.
begin=$(sed -n 2p "$run/first/metrics.csv" | cut -d, -f2)
end=$(tail -n 1 "$run/first/metrics.csv" | cut -d, -f2)
cpu=$(tail -n 1 "$run/cpu/metrics.csv" | cut -d, -f2)
echo "loss $begin at the first step, $end at the last; $cpu on the CPU"
awk -v begin="$begin" -v end="$end" -v cpu="$cpu" 'BEGIN {exit !(end < begin && end < 1.01 * cpu && end > 0.99 * cpu)}'
END
plan train bash "$parts/train.sh" "$quartic" "$folder/run"

for file in tests/golden/*.safetensors tests/golden/extra/*.safetensors; do
    plan "verify-$(basename "$file" .safetensors)" "$quartic" verify --device vulkan "$file"
done

late=$(cd "$parts" && ls -- *.late 2>/dev/null || true)
failed=0
for is_late in no yes; do
    for k in "${!names[@]}"; do
        name=${names[$k]} own=no
        case $'\n'$late$'\n' in *$'\n'"$name.late"$'\n'*) own=yes ;; esac
        [ $own = $is_late ] && [ ! -e "$parts/$name.passed" ] && [ $SECONDS -lt $end ] || continue
        run_part "$name" "${commands[$k]}"
    done
done
passed=$(cd "$parts" && ls -- *.passed 2>/dev/null | wc -l)
left=$((${#names[@]} - passed - failed))
echo "$passed of ${#names[@]} parts have passed, $failed failed, $left are left"
[ $failed = 0 ] || exit 1
[ $left = 0 ] || exit 3
