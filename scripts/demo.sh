#!/usr/bin/env bash
# From a bare Debian 12 to a trained quartic transformer, in under five minutes on two cores: installs what is
# missing, builds, lists the devices, trains on data/tales.txt with Vulkan (Mesa's lavapipe where there is no GPU),
# samples text and draws what the model attends to. Everything it makes is in build/.
#
# The training goes on until the loss is below 2.0 nats per byte, where guessing by the bytes' frequencies has 3.0, and
# then for what remains of four minutes, so that the text gets better. A slow machine takes longer: the hard stop is
# 15 minutes of training. Exit code 1 if the loss has not got there by then. Software Vulkan that makes less than 5 steps a
# second is shown for 20 steps; the device `cpu` goes on.
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
best=$("$quartic" devices --json | tr -d '\n' | tr '}' '\n' | grep '"usable": true' | grep -v '"type": "cpu"' | head -n 1 || true)
device=vulkan software=0
case $best in
"") device=cpu ;;
*'"type": "software"'*) software=1 ;;
esac

enough=2.0 tokens_per_step=128 hard_stop=900
train() { "$quartic" train data/tales.txt --out "$run" --device "$device" "$@"; }
# Of the last 20 steps, and of all steps but the first few, which prepare.
mean_loss() { tail -n +2 "$run/metrics.csv" | tail -n 20 | LC_ALL=C awk -F, '{ sum += $2 } END { print sum / NR }'; }
speed() {
    tail -n +2 "$run/metrics.csv" | LC_ALL=C awk -F, -v tokens=$tokens_per_step '
        { seconds = tokens / ($5 > 0.05 ? $5 : 0.05); all += seconds }
        NR > 5 { late += seconds; ++steps }
        END { printf "%.2f", (steps > 0 ? steps / late : NR / all) }'
}
below() { LC_ALL=C awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }

step "Training on data/tales.txt with --device $device"
rm -rf "$run"
began=$SECONDS
left() { echo $((hard_stop - (SECONDS - began) > 1 ? hard_stop - (SECONDS - began) : 1)); }
train --config data/demo.json --batch 4 --length 32 --learning-rate 0.004 --warmup-steps 20 --constant-rate \
    --steps 20 --seconds 60
made=$(speed)
if [ $software = 1 ] && below "$made" 5; then
    device=cpu
    step "Software Vulkan makes $made steps a second here, less than 5: the training goes on with --device cpu"
fi
train --resume --steps 1000000 --until-loss $enough --seconds "$(left)"
loss=$(mean_loss)
if ! below "$loss" $enough; then
    echo "The loss is $loss after $((SECONDS - began)) seconds of training, not below $enough: this machine is too slow or" \
        "too busy for the demo. \`$quartic train data/tales.txt --out $run --resume\` goes on from here." >&2
    exit 1
fi
echo "The first goal is reached: the loss is $loss, below $enough, after $((SECONDS - began)) seconds of training."
remaining=$((240 - SECONDS))
[ "$remaining" -le 100 ] || remaining=100
if [ "$remaining" -ge 10 ]; then
    step "Training for $remaining seconds more, so that the text gets better"
    train --resume --seconds "$remaining"
fi

step "Sampling"
"$quartic" sample "$run" --device "$device" --tokens 160 --temperature 0.6 --prompt "There was once a " \
    --attention "$run/attention.png"

step "Done"
echo "The loss is $(mean_loss) nats per byte (by the bytes' frequencies alone: 3.0). The attention between the last bytes is" \
    "drawn in $run/attention.png"
