#!/usr/bin/env bash
# The evidence for edges that attend to edges: trains every form of edge attention and the quadratic baselines on
# the tasks of docs/hypothesis.md, and says whether some task separates them. Exit 1 if none does.
#
#   bash scripts/hypothesis.sh            all tasks, forms, baselines and seeds: up to an hour on two cores
#   bash scripts/hypothesis.sh --quick    one seed, the smallest baselines, one task on Vulkan too: up to 5 minutes
#   OUT=folder                            where the results go (default: hypothesis in the build folder)
#
# Each task is a run of `quartic experiment` of its own, two at a time, each on one core.
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
rm -rf "${out:?}"/{cycles,foaf,foaf24,compose,set,vulkan}{,.log}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

if [ $quick = 1 ]; then
  tasks="foaf cycles compose set"
  settings="--quick --seeds 1 --limit 40"
else
  tasks="foaf24 set cycles foaf compose"
  settings="--seeds 3 --limit 100"
fi

# What a task takes: pairs give many labels a step and are learnt soon, whole graphs give one each, and the rules of
# the cards are many.
of_task() {
  case $1-$quick in
  foaf24-*) echo "--quick --steps 150" ;; # the smallest baselines only: 24 nodes have three times as many edges
  cycles-1) echo "--steps 220 --batch 32" ;;
  cycles-0) echo "--steps 300 --batch 32" ;;
  set-0) echo "--steps 1500 --batch 32 --graphs 20000" ;;
  *) echo "--steps 150" ;;
  esac
}

# run NAME ARGUMENTS..: one run with its own folder and log.
run() {
  local name=$1
  shift
  # shellcheck disable=SC2086
  if "$build/quartic" experiment $settings "$@" --out "$out/$name" > "$out/$name.log" 2>&1; then
    grep -h "separated\." "$out/$name.log"
  else
    cat "$out/$name.log" >&2
    return 1
  fi
}

started=$SECONDS
failed=0
running=()
for task in $tasks; do
  echo "$task: started; its lines go to $out/$task.log"
  # shellcheck disable=SC2046
  run "$task" "$task" --device cpu $(of_task "$task") &
  running+=($!)
  if [ ${#running[@]} = 2 ]; then
    wait "${running[0]}" || failed=1
    running=("${running[1]}")
  fi
done
for job in "${running[@]}"; do wait "$job" || failed=1; done
if [ $quick = 1 ]; then
  echo "foaf on Vulkan: started; its lines go to $out/vulkan.log"
  run vulkan foaf --device vulkan --no-map --steps 80 --batch 8 --limit 15 || failed=1
fi
[ $failed = 0 ] || { echo "a run failed" >&2; exit 1; }

# One table of all tasks, one file of all points.
for folder in "$out"/*/; do
  sed "s|](\([^)]*\.svg\))|]($(basename "$folder")/\1)|" "$folder/report.md"
done > "$out/report.md"
first=1
for task in $tasks; do
  [ $first = 1 ] && head -1 "$out/$task/results.csv" > "$out/results.csv"
  first=0
  tail -n +2 "$out/$task/results.csv" >> "$out/results.csv"
done
echo "$((SECONDS - started)) seconds; $out/report.md and $out/results.csv are written."
if ! grep -q ": separated\." "$out"/*.log; then
  echo "In no task does an edge form reach 99% where every quadratic baseline stays at or below 90%." >&2
  exit 1
fi
