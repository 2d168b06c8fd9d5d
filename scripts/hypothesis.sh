#!/usr/bin/env bash
# The evidence behind docs/which-edge-attention.md: trains the rows of scripts/hypothesis/runs.txt on the cpu device, two
# at a time, each on one core, then makes every figure and table of the page and checks its claims. Exit 1 unless all
# claims hold that it can check.
#
#   bash scripts/hypothesis.sh            everything anew, five seeds: at most three hours on two quiet cores
#   bash scripts/hypothesis.sh --resume   only what the records lack: of an interrupted run, or of the repository
#   bash scripts/hypothesis.sh --tables   no training: figures, tables and claims from the records
#   bash scripts/hypothesis.sh --quick    the quick rows with one seed, and the claims about them: up to 5 minutes
#
#   RECORDS=folder   records of single runs (default: docs/hypothesis/records for --resume and --tables, else a new
#                    folder under OUT); records of other sessions add up by copying their lines into it
#   OUT=folder       logs, and the page's figures but for --tables (default: hypothesis in the build folder)
#   SEEDS=N          runs of each row (default: 5; --quick: 1)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
out=${OUT:-$build/hypothesis}
kept=docs/hypothesis/records
page=docs/which-edge-attention.md
mode=${1:-}
case $# in 0 | 1) ;; *) mode=wrong ;; esac
case "$mode" in
"") seeds=${SEEDS:-5} records=${RECORDS:-$out/records} ;;
--resume) seeds=${SEEDS:-5} records=${RECORDS:-$kept} ;;
--tables) records=${RECORDS:-$kept} ;;
--quick) seeds=${SEEDS:-1} records=${RECORDS:-$out/quick} ;;
*)
  echo "usage: bash scripts/hypothesis.sh [--resume | --tables | --quick]" >&2
  exit 2
  ;;
esac

tables() { python3 -B scripts/hypothesis/tables.py "$records" "$@"; }

if [ "$mode" = --tables ]; then
  tables docs/images "$page"
  exit
fi

[ -f "$build/build.ninja" ] || [ -f "$build/Makefile" ] || cmake -S . -B "$build" > /dev/null
cmake --build "$build" --target quartic_tool > /dev/null
mkdir -p "$out"
if [ "$mode" != --resume ] && compgen -G "$records/*.jsonl" > /dev/null; then
  if [ -n "${RECORDS:-}" ]; then
    echo "$records holds records: --resume goes on with them; delete them to begin anew" >&2
    exit 1
  fi
  rm "$records"/*.jsonl # of an earlier run of this script
fi
failed=0
quick=
[ "$mode" = --quick ] && quick=--quick
python3 -B scripts/hypothesis/run.py "$build/quartic" "$records" "$out" "$seeds" $quick || failed=1
if [ "$mode" = --resume ]; then
  tables docs/images "$page" || failed=1
else
  cp "$page" "$out/report.md"
  tables "$out/images" "$out/report.md" $quick || failed=1
fi
exit $failed
