#!/usr/bin/env bash
# The evidence for edges that attend to edges: trains every form of edge attention and the quadratic baselines on
# the tasks of docs/hypothesis.md, and says whether some task separates them. Exit 1 if none does.
#
#   bash scripts/hypothesis.sh            all tasks, forms, baselines and seeds: up to an hour on two cores
#   bash scripts/hypothesis.sh --quick    one seed, the smallest baselines, one task on Vulkan too: up to 5 minutes
#   OUT=folder                            where the results go (default: hypothesis in the build folder)
#
# Each task is a run of `quartic experiment` of its own, two at a time, each on one core. In the full run foaf's
# baselines have three learning rates and three sizes, those of compose and cycles three rates and two sizes, set's
# three rates and one size; foaf24 is the quick form with three seeds, and set's baselines of four times the
# parameters run by themselves, since each takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
out=${OUT:-$build/hypothesis}
quick=0
case "${1:-}" in
--quick) quick=1 ;;
"") ;;
*) echo "usage: bash scripts/hypothesis.sh [--quick]" >&2; exit 2 ;;
esac

[ -f "$build/build.ninja" ] || [ -f "$build/Makefile" ] || cmake -S . -B "$build" > /dev/null
cmake --build "$build" --target quartic_tool > /dev/null
mkdir -p "$out"
rm -rf "${out:?}"/{cycles,foaf,foaf24,compose,set,set-none,set-static,vulkan,cpu}{,.log}
export OMP_NUM_THREADS=1

if [ $quick = 1 ]; then
  runs="foaf compose cycles set"
  settings="--quick --seeds 1 --limit 30"
else
  runs="set cycles compose foaf foaf24 set-none set-static" # the longest first, so that both cores end together
  settings="--seeds 3 --limit 600"
fi

# Task and settings of a run. Pairs give many labels a step and are learnt soon, whole graphs give one each, and
# the rules of the cards are many.
of_run() {
  case $1-$quick in
  foaf24-*) echo "foaf24 --steps 150 --quick" ;; # 24 nodes have three times as many edges as 14
  cycles-*) echo "cycles --steps 300 --batch 32 --sizes 2" ;;
  compose-0) echo "compose --steps 150 --sizes 2" ;;
  set-1) echo "set --steps 150" ;;
  set-0) echo "set $cards --sizes 1" ;;
  set-none-0) echo "set $cards --sizes 2 --rates 1 --seeds 1 --only none" ;;
  set-static-0) echo "set $cards --sizes 2 --rates 1 --seeds 1 --only static" ;;
  *) echo "$1 --steps 150" ;;
  esac
}
cards="--steps 3000 --batch 32 --graphs 50000 --rate 0.005"

# run NAME ARGUMENTS..: one run with its own folder and log.
run() {
  local name=$1
  shift
  # shellcheck disable=SC2086
  if "$build/quartic" experiment $settings "$@" --out "$out/$name" > "$out/$name.log" 2>&1; then
    grep -h "separated\.\|nothing to compare" "$out/$name.log"
  else
    cat "$out/$name.log" >&2
    return 1
  fi
}

started=$SECONDS
failed=0
running=0
for name in $runs; do
  if [ $running = 2 ]; then
    wait -n || failed=1
    running=1
  fi
  echo "$name: started; its lines go to $out/$name.log"
  # shellcheck disable=SC2046
  run "$name" $(of_run "$name") --device cpu &
  running=$((running + 1))
done
for ((; running > 0; --running)); do wait -n || failed=1; done
if [ $quick = 1 ]; then
  # The same contest on both: short, since software Vulkan is slow.
  short="foaf --no-map --steps 40 --batch 4 --evaluations 4 --graphs 512 --rate 0.005"
  for device in cpu vulkan; do
    echo "foaf, short, on $device: started; its lines go to $out/$device.log"
    # shellcheck disable=SC2086
    run $device $short --device $device || failed=1
  done
fi
[ $failed = 0 ] || { echo "a run failed" >&2; exit 1; }

# One table of all tasks, one file of all points.
for folder in "$out"/*/; do
  sed "s|](\([^)]*\.svg\))|]($(basename "$folder")/\1)|" "$folder/report.md"
done > "$out/report.md"
first=1
for name in $runs; do
  [ $first = 1 ] && head -1 "$out/$name/results.csv" > "$out/results.csv"
  first=0
  tail -n +2 "$out/$name/results.csv" >> "$out/results.csv"
done
echo "$((SECONDS - started)) seconds; $out/report.md and $out/results.csv are written."
if ! grep -q ": separated\." "$out"/*.log; then
  echo "In no task does an edge form reach 99% where every quadratic baseline stays at or below 90%." >&2
  exit 1
fi
