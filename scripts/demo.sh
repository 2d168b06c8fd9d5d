#!/usr/bin/env bash
# From a bare Debian 12 to a trained quartic transformer, in under five minutes on two cores: installs what is
# missing, builds, lists the devices, trains on data/tales.txt with Vulkan (Mesa's lavapipe where there is no GPU),
# samples text and draws what the model attends to. Everything it makes is in build/.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "Installing what is missing"
bash scripts/install.sh

step "Building"
mkdir -p build
[ -f build/build.ninja ] || cmake -S . -B build -G Ninja >build/configure.log || { cat build/configure.log; exit 1; }
cmake --build build --target quartic_tool
quartic=build/quartic run=build/demo

step "Devices"
"$quartic" devices
# The best Vulkan device, even where it is software and the CPU backend would be faster: that is what is shown.
device=vulkan
"$quartic" devices --json | grep -q '"type": "\(discrete\|integrated\|virtual\|software\)"' || device=cpu

step "Training on data/tales.txt with --device $device"
rm -rf "$run"
# What remains of four minutes, but at least one: the loss is far below the entropy long before that.
remaining=$((240 - SECONDS))
[ "$remaining" -ge 60 ] || remaining=60
[ "$remaining" -le 150 ] || remaining=150
"$quartic" train data/tales.txt --config data/demo.json --out "$run" --device "$device" --steps 3000 \
    --seconds "$remaining" --batch 4 --length 32 --learning-rate 0.004 --warmup-steps 20 --constant-rate

step "Sampling"
"$quartic" sample "$run" --device "$device" --tokens 160 --temperature 0.6 --prompt "There was once a " \
    --attention "$run/attention.png"

step "Done"
echo "The attention between the last bytes is drawn in $run/attention.png"
echo "More of it: $quartic sample $run --prompt 'Mara the ' --attention picture.png; $quartic --help"
