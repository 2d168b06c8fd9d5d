#!/usr/bin/env bash
# What scripts/demo.sh decides, with a stand-in for the program that has a given speed and reaches a given loss, so that
# no time passes: which device trains, when it is enough, and the exit code. Usage: demo.sh <source folder> <work folder>
set -euo pipefail
source_dir=$1 work=$2
rm -rf "$work"
mkdir -p "$work/scripts" "$work/build" "$work/bin"
cp "$source_dir/scripts/demo.sh" "$work/scripts/"
echo 'exit 0' > "$work/scripts/install.sh"
: > "$work/build/build.ninja"
printf '#!/bin/sh\nexit 0\n' > "$work/bin/cmake"

# Writes what it was called with, and lines of metrics: the first 20 steps at $SPEED steps a second with a loss of 4.5, all
# later ones with a loss of $LOSS.
cat > "$work/build/quartic" <<'END'
#!/usr/bin/env bash
echo "$*" >> calls
if [ "$1" = devices ]; then
    [ "${2:-}" != --json ] || echo "$DEVICES"
    exit 0
fi
[ "$1" = train ] || exit 0
metrics=build/demo/metrics.csv
case "$*" in
*--config*)
    mkdir -p build/demo
    echo "step,loss,gradient_norm,learning_rate,tokens_per_second" > $metrics
    for ((k = 1; k <= 20; ++k)); do echo "$k,4.5,1,0.004,$((128 * SPEED))"; done >> $metrics
    ;;
*--until-loss*) for ((k = 21; k <= 60; ++k)); do echo "$k,$LOSS,1,0.004,9999"; done >> $metrics ;;
esac
END
chmod +x "$work/bin/cmake" "$work/build/quartic"

cpu='{ "type": "cpu", "usable": true }'
software='{ "type": "software", "usable": true }'
discrete='{ "type": "discrete", "usable": true }'
broken='{ "type": "discrete", "usable": false }'

# expect NAME CODE TEXT DEVICES SPEED LOSS FIRST-DEVICE LATER-DEVICE
expect() {
    local code=0
    rm -f "$work/calls"
    PATH="$work/bin:$PATH" DEVICES="[$4]" SPEED=$5 LOSS=$6 bash "$work/scripts/demo.sh" > "$work/out" 2>&1 || code=$?
    grep '^train' "$work/calls" > "$work/trained"
    if [ $code != "$2" ] || ! grep -q "$3" "$work/out" || ! head -n 1 "$work/trained" | grep -q -- "--device $7 " ||
        ! sed -n 2p "$work/trained" | grep -q -- "--device $8 .*--until-loss 2.0" ||
        { [ "$2" = 0 ] && ! grep '^sample' "$work/calls" | grep -q -- "--device $8 "; } ||
        { [ "$2" != 0 ] && grep -q '^sample\|Done' "$work/calls" "$work/out"; }; then
        echo "$1: code $code, wanted $2, \"$3\", first on $7, then on $8"
        cat "$work/calls" "$work/out"
        exit 1
    fi >&2
}
expect "software, fast enough" 0 "The first goal is reached: the loss is 1.9, below 2.0" "$cpu, $software" 5 1.9 vulkan vulkan
expect "software, too slow" 0 "makes 4.00 steps a second here, less than 5: the training goes on with --device cpu" \
    "$cpu, $software" 4 1.9 vulkan cpu
expect "software that stands still" 0 "makes 0.00 steps a second" "$cpu, $software" 0 1.9 vulkan cpu
expect "a slow GPU is a GPU" 0 "The first goal is reached" "$discrete, $cpu, $software" 1 0.5 vulkan vulkan
expect "a GPU that cannot be used" 0 "goes on with --device cpu" "$broken, $cpu, $software" 1 0.5 vulkan cpu
expect "no Vulkan" 0 "The first goal is reached" "$cpu" 1 1.5 cpu cpu
expect "nothing learnt" 1 "The loss is 2.1 after .* seconds of training, not below 2.0" "$cpu, $software" 9 2.1 vulkan vulkan
expect "not a number" 1 "not below 2.0" "$cpu, $software" 9 nan vulkan vulkan
