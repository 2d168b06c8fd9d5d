#!/usr/bin/env bash
# gpu_report.sh SOURCE QUARTIC WORK DEVICE: scripts/gpu_report.sh on a device, then with a program in the place of
# `quartic` that crashes, hangs, fails and prints half a document; interrupted; and on a machine without packages. The
# report must parse each time and say what is missing. No verdict depends on how much was measured.
set -euo pipefail
source=$1 quartic=$2 work=$3 device=$4
[ "$device" = cpu ] || device=${QUARTIC_DEVICE:-$device}
export LC_ALL=C
rm -rf "$work" && mkdir -p "$work"
fail() { echo "gpu_report: $1" >&2; exit 1; }

# check_report FOLDER EXPRESSION..: the three files parse, and each Python expression of r (report.json) and md
# (report.md) holds.
check_report() {
    python3 - "$@" <<'END' || fail "the report in $1 is wrong"
import json, sys, xml.dom.minidom
folder = sys.argv[1]
r = json.load(open(folder + "/report.json"))
md = open(folder + "/report.md").read()
xml.dom.minidom.parse(folder + "/plot.svg")
status = {part["group"] + " " + part["item"]: part["status"] for part in r["parts"]}
for expression in sys.argv[2:]:
    if not eval(expression):
        print("not so:", expression, "\nstate:", r["state"], "\nparts:", status, file=sys.stderr)
        sys.exit(1)
END
}

# On the device itself, for half a minute.
bash "$source/scripts/gpu_report.sh" --quartic "$quartic" --device "$device" --out "$work/real" --minutes 0.5 ||
    fail "the script failed"
check_report "$work/real" '"device list" in status' 'len(r["parts"]) > 100' 'r["format"] == 1' \
    'r["complete"] == (not r["missing"] and r["state"] == "done")' \
    'all(m.split(":")[0] in status for m in r["missing"])' 'all(m.split(":")[0] in md for m in r["missing"])' \
    'md.index("## Parts") < md.index("## Right or wrong") < md.index("## Models") < md.index("## Attention among")' \
    'sum(g["planned"] for g in r["groups"]) == len(r["parts"])' \
    'all(g["planned"] == g["done"] + g["skipped"] + g["failed"] + g["missing"] for g in r["groups"])'

# A program that does all at once what drivers do. What does not concern it, the real one does.
cat > "$work/fake" <<END
#!/usr/bin/env bash
case "\$*" in
"validate --op matmul "*) kill -SEGV \$\$ ;;
"validate --op copy "*) echo '{"device": "d", "passed": 3, "failed": 1, "unsupported": 0, "worst": 0.5, "checks": [{"verdict": "ok"}, {"verdict": "FAILED", "subject": "copy", "text": "far off"}]}'; exit 1 ;;
"validate --op "*) echo '{"device": "d", "passed": 2, "failed": 0, "unsupported": 0, "worst": 0.25, "checks": []}' ;;
"verify "*) echo '{"device": "d", "passed":' ;;
"bench products --fixed --least 1024 "*) [ -z "\${INTERRUPT:-}" ] || kill -TERM \$PPID; exec tail -f /dev/null ;; # hangs
"bench products "*) echo '{"products": [{"rows": 512, "columns": 512, "depth": 512, "seconds": 0.001, "flops_per_second": 2e11, "share_of_peak": 0.5}]}' ;;
*) exec "$quartic" "\$@" ;;
esac
END
chmod +x "$work/fake"
bash "$source/scripts/gpu_report.sh" --quartic "$work/fake" --device cpu --out "$work/fake-checks" \
    --only validate,recordings --minutes 60 > /dev/null || fail "the script failed where parts do"
check_report "$work/fake-checks" 'status["validate matmul"] == "crashed"' 'status["validate copy"] == "failed"' \
    'status["validate fill"] == "done"' 'not r["complete"]' '"validate matmul: crashed" in r["missing"]' \
    '"far off" in md' '"**1 failed**" in md' 'all(s == "done" for k, s in status.items() if k.startswith("recordings"))' \
    'all(p["result"] is None for p in r["parts"] if p["group"] == "recordings")' \
    '"validate --op matmul" in md'
bash "$source/scripts/gpu_report.sh" --quartic "$work/fake" --device cpu --out "$work/fake-time" --only products \
    --minutes 0.1 > /dev/null || fail "the script failed where the time runs out"
check_report "$work/fake-time" 'status["products product-512"] == "done"' \
    'status["products product-1024"] == "out of time"' 'status["products product-8192"].startswith("not run")' \
    'r["measurements"][0]["what"] == "product"' 'not r["complete"]' '"is used up" in r["state"]'

# Interrupted, by the part that then hangs.
code=0
INTERRUPT=yes bash "$source/scripts/gpu_report.sh" --quartic "$work/fake" --device cpu --out "$work/interrupted" \
    --only products --minutes 60 > /dev/null || code=$?
[ $code = 130 ] || fail "after a signal the exit code is $code"
check_report "$work/interrupted" '"interrupted" in r["state"]' 'status["products product-1024"] == "interrupted"' \
    'status["products product-2048"] == "not run"' 'len(r["measurements"]) == 1'

# A machine with nothing: only the tools of every system are found.
mkdir "$work/bin"
for tool in bash awk sed tr date uname head tail cat mkdir rm ls dirname basename paste grep printf env sleep; do
    ln -s "$(command -v $tool)" "$work/bin/$tool"
done
code=0
PATH=$work/bin bash "$source/scripts/gpu_report.sh" --out "$work/bare" > "$work/bare.out" 2>&1 || code=$?
[ $code = 1 ] || fail "without packages the exit code is $code: $(cat "$work/bare.out")"
for package in build-essential cmake ninja-build pkg-config glslc spirv-tools; do
    grep -q "$package" "$work/bare.out" || fail "$package is not named where it is missing"
    grep -q "$package" "$work/bare/report.md" || fail "the report does not name $package"
done
check_report "$work/bare" 'r["missing"] == ["everything"]' 'not r["complete"]' '"missing" in r["state"]'

# Wrong usage, and a folder of someone else's.
for arguments in "--minutes 0" "--minutes many" "--minutes" "--nothing"; do
    code=0
    # shellcheck disable=SC2086
    bash "$source/scripts/gpu_report.sh" $arguments --out "$work/wrong" > /dev/null 2>&1 || code=$?
    [ $code = 2 ] || fail "$arguments: the exit code is $code"
done
mkdir "$work/others" && touch "$work/others/mine"
code=0
bash "$source/scripts/gpu_report.sh" --quartic "$quartic" --out "$work/others" > /dev/null 2>&1 || code=$?
[ $code = 2 ] && [ -e "$work/others/mine" ] || fail "a folder with other files was taken"

# The comparisons with PyTorch, where there is one: both ways of each must be the same function.
for python in python3 /usr/bin/python3; do
    "$python" -c 'import torch' 2> /dev/null || continue
    "$python" "$source/bench/triangle.py" --check - || fail "bench/triangle.py disagrees with itself"
    "$python" "$source/bench/quartic_model.py" --check "$source/tests/golden/quartic.safetensors" ||
        fail "bench/quartic_model.py disagrees with the recording"
    break
done
echo "gpu_report: all of it holds"
