#!/usr/bin/env bash
# gpu_report.sh: what this library does on this machine's GPU, in one folder with report.md, report.json and plot.svg.
#
#   bash scripts/gpu_report.sh [--minutes 8] [--out gpu-report] [--device vulkan] [--packages FOLDER] [--quartic FILE]
#   bash scripts/gpu_report.sh --carry FOLDER
#
#   --minutes M        time for measuring; building comes before it and is not counted
#   --out FOLDER       where the report goes; an older report in it is replaced
#   --device NAME      as `quartic devices` lists them; vulkan is the best Vulkan device
#   --packages FOLDER  Debian packages (*.deb) that this machine lacks; they are unpacked into the build folder, not
#                      installed. Needs dpkg-deb; without this option ./packages is taken, if it is there
#   --quartic FILE     a program that is built already; then nothing is built
#   --only GROUPS      some groups of parts only, with commas between
#   --carry FOLDER     on a Debian machine with a network: fetches into FOLDER what --packages takes, and ends
#
# It builds in build/gpu-report, asks for no network and no rights, and says which packages are missing. Each part is a
# process of its own with a time limit, so a driver that crashes or hangs ends one part. The most important parts come
# first; what was measured is in the report after every group, also where the time runs out, Ctrl-C comes or a part
# fails, and the report then says what is missing. docs/gpu-reports.md tells how to read and send one.
# It runs with bash 3.2 and no tools beyond those of every system, as it must on machines with nothing else installed.
set -u
export LC_ALL=C
source_folder=$(cd "$(dirname "$0")/.." && pwd)
minutes=8 out=gpu-report device=vulkan packages='' quartic='' only='' carry=''

fail_usage() {
    echo "gpu_report.sh: $1" >&2
    echo "usage: bash scripts/gpu_report.sh [--minutes M] [--out FOLDER] [--device NAME] [--packages FOLDER]" \
        "[--quartic FILE] [--only GROUPS] | --carry FOLDER" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --minutes | --out | --device | --packages | --quartic | --only | --carry)
        [ $# -ge 2 ] && [ -n "$2" ] || fail_usage "$1 needs a value"
        case $1 in
        --minutes) minutes=$2 ;;
        --out) out=$2 ;;
        --device) device=$2 ;;
        --packages) packages=$2 ;;
        --quartic) quartic=$2 ;;
        --only) only=$2 ;;
        --carry) carry=$2 ;;
        esac
        shift 2
        ;;
    -h | --help)
        sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) fail_usage "there is no option \"$1\"" ;;
    esac
done
total_seconds=$(awk -v m="$minutes" 'BEGIN { if (m !~ /^[0-9]+(\.[0-9]*)?$/ || m <= 0 || m > 600) exit 1; print int(60 * m + 0.5) }') ||
    fail_usage "--minutes is \"$minutes\", not a number above 0 and up to 600"

# ---- packages to carry ----

debian_packages='build-essential cmake ninja-build pkg-config libjansson-dev libcairo2-dev libvulkan-dev
    libvulkan-volk-dev libvulkan1 glslc spirv-tools'
if [ -n "$carry" ]; then
    command -v apt-get > /dev/null && command -v apt-cache > /dev/null || fail_usage "--carry needs Debian's apt"
    mkdir -p "$carry" && cd "$carry" || exit 1
    # Everything they need, by name; what has no package of its own (virtual packages) stands in angle brackets.
    # shellcheck disable=SC2086
    names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances $debian_packages | grep '^[a-z0-9]' | sort -u | grep -v ':' || true)
    # shellcheck disable=SC2086
    apt-get download $names || exit 1
    echo "$(ls ./*.deb | wc -l) packages in $(pwd); take them along and name the folder with --packages."
    exit 0
fi

# ---- the folder, and a report from the first moment on ----

if [ -e "$out" ] && [ -n "$(ls -A "$out" 2> /dev/null)" ] && [ ! -e "$out/parts/facts.tsv" ]; then
    fail_usage "$out has other files in it; name another folder with --out"
fi
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
rm -rf "${out:?}/parts" "$out/report.md" "$out/report.json" "$out/plot.svg"
mkdir -p "$out/parts" || exit 1
parts=$out/parts
: > "$parts/log.tsv"
: > "$parts/plan.tsv"
: > "$parts/facts.tsv"
fact() { printf '%s\t%s\n' "$1" "$(printf '%s' "$2" | tr '\t\n' '  ')" >> "$parts/facts.tsv"; }
json_text() { printf '%s' "$1" | tr '\t\n\r' '   ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g'; }

# The report before there is a program that can write one.
early_report() {
    local json
    json=$(json_text "$1")
    printf '# GPU report\n\nIncomplete: %s\n\n## What is missing\n\nEverything: nothing was measured.\n' "$1" > "$out/report.md"
    printf '{"format": 1, "complete": false, "state": "%s", "missing": ["everything"], "parts": []}\n' "$json" > "$out/report.json"
    printf '%s\n' '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="80"><text x="20" y="45" font-size="16">Nothing was measured.</text></svg>' > "$out/plot.svg"
}
write_report() { # STATE
    fact state "$1"
    if [ -n "$quartic" ]; then
        # Once more where Ctrl-C ended the writer, too.
        "$quartic" report "$out" > "$parts/report.out" 2>&1 < /dev/null && return
        "$quartic" report "$out" > "$parts/report.out" 2>&1 < /dev/null && return
        echo "gpu_report.sh: the report could not be written: $(cat "$parts/report.out")" >&2
        [ -e "$out/report.json" ] && [ -e "$out/report.md" ] && return
    fi
    early_report "$1"
}

running='' interrupted=''
interrupt() {
    interrupted=yes
    [ -n "$running" ] && kill -TERM "$running" 2> /dev/null
}
trap interrupt INT TERM HUP
ended() {
    write_report "$1"
    trap - INT TERM HUP
    echo "$2" >&2
    exit 1
}
early_report "the program was not built yet"
fact format 1
fact minutes "$minutes"
fact date "$(date -u '+%Y-%m-%d %H:%M UTC')"
fact system "$(uname -srm)"
fact processor "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1)"
fact commit "$(git -C "$source_folder" describe --always --dirty 2> /dev/null || echo unknown)"

# ---- building ----

build=$source_folder/build/gpu-report
unpacked=$build/packages
# Carried packages, unpacked where only this script sees them.
unpack_packages() {
    local file name
    command -v dpkg-deb > /dev/null || ended "the carried packages need dpkg-deb" "gpu_report.sh: --packages needs dpkg-deb"
    rm -rf "$unpacked" && mkdir -p "$unpacked/libraries" || exit 1
    for file in "$packages"/*.deb; do
        [ -e "$file" ] || continue
        dpkg-deb -x "$file" "$unpacked" || ended "the package $(basename "$file") is broken" "gpu_report.sh: cannot unpack $file"
    done
    find "$unpacked" -name '*.pc' -exec sed -i "s|^prefix=/usr|prefix=$unpacked/usr|" {} +
    # Shared libraries that the system lacks; never another C library than its own.
    find "$unpacked" -name 'lib*.so*' | while read -r file; do
        name=$(basename "$file")
        case $name in libc.so* | libm.so* | libpthread* | libdl.so* | librt.so* | libresolv* | libnss_*) continue ;; esac
        case $(ldconfig -p 2> /dev/null || /sbin/ldconfig -p 2> /dev/null) in *"$name "*) continue ;; esac
        ln -sf "$file" "$unpacked/libraries/$name"
    done
    local libraries
    libraries=$(find "$unpacked/usr/lib" -maxdepth 1 -name '*-linux-gnu*' -type d | head -n 1)
    export PATH=$PATH:$unpacked/usr/bin
    export LD_LIBRARY_PATH=$unpacked/libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export PKG_CONFIG_PATH=$libraries/pkgconfig:$unpacked/usr/lib/pkgconfig:$unpacked/usr/share/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    export CMAKE_PREFIX_PATH=$unpacked/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
    export LIBRARY_PATH=$libraries${LIBRARY_PATH:+:$LIBRARY_PATH}
    # A carried compiler has its C library's headers beside it.
    if [ ! -e /usr/include/stdio.h ] && [ -e "$unpacked/usr/include/stdio.h" ]; then
        export CFLAGS="--sysroot=$unpacked ${CFLAGS:-}" LDFLAGS="--sysroot=$unpacked ${LDFLAGS:-}"
    fi
}
has() { command -v "$1" > /dev/null 2>&1; }
finds_header() { # HEADER: in the system or among the carried packages
    local at
    for at in /usr/include /usr/local/include /opt/homebrew/include "$unpacked/usr/include" ${VULKAN_SDK:+"$VULKAN_SDK/include"}; do
        [ -e "$at/$1" ] && return
    done
    return 1
}
missing_packages() {
    has cc || has gcc || has clang || echo 'a C compiler (Debian: build-essential)'
    has cmake || echo 'CMake 3.25 (cmake)'
    has ninja || has make || echo 'Ninja or make (ninja-build)'
    has pkg-config || echo 'pkg-config (pkg-config)'
    if has pkg-config; then
        pkg-config --exists jansson || echo 'jansson (libjansson-dev)'
        pkg-config --exists cairo || echo 'cairo (libcairo2-dev)'
    fi
    finds_header vulkan/vulkan.h || echo "Vulkan's headers (libvulkan-dev)"
    finds_header volk.h || echo 'volk (libvulkan-volk-dev)'
    has glslc || has glslangValidator || echo 'a compiler of shaders (glslc)'
    has spirv-val || echo "SPIR-V's validator (spirv-tools)"
}
build_program() {
    local missing generator=() begun=$SECONDS status=0
    if [ -n "$packages" ]; then
        mkdir -p "$build" && unpack_packages
    fi
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        fact missing_packages "$(echo "$missing" | paste -s -d ';' -)"
        ended "these are missing on this machine: $(echo "$missing" | paste -s -d ',' - | sed 's/,/, /g')" \
            "Missing on this machine:
$missing
Install them, or fetch them on a Debian machine with a network by \`bash scripts/gpu_report.sh --carry FOLDER\`,
bring the folder along and give it with --packages FOLDER."
    fi
    has ninja && generator=(-G Ninja)
    echo "building in $build"
    mkdir -p "$build"
    cmake -S "$source_folder" -B "$build/tree" ${generator[@]+"${generator[@]}"} -DQUARTIC_TESTS=OFF -DQUARTIC_EXAMPLES=OFF \
        > "$parts/build.txt" 2>&1 &&
        cmake --build "$build/tree" --target quartic_tool --parallel "$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)" \
            >> "$parts/build.txt" 2>&1 || status=$?
    [ -z "$interrupted" ] || ended "interrupted while the program was built" "interrupted; $out/report.md says so"
    [ $status = 0 ] || ended "the program could not be built; parts/build.txt has the messages" "$(tail -n 20 "$parts/build.txt")
The build failed; all messages are in $parts/build.txt."
    quartic=$build/tree/quartic
    fact build_seconds $((SECONDS - begun))
}
if [ -z "$packages" ] && ls ./packages/*.deb > /dev/null 2>&1; then packages=./packages; fi
if [ -n "$quartic" ]; then
    [ -x "$quartic" ] || fail_usage "--quartic $quartic is no program"
    quartic=$(cd "$(dirname "$quartic")" && pwd)/$(basename "$quartic")
else
    build_program
fi
fact version "$("$quartic" --version 2>&1 | head -n 1)"

# ---- parts ----

scratch=$parts/scratch
mkdir -p "$scratch"
golden=$source_folder/tests/golden
cat > "$scratch/relational.json" <<'END'
{"model": "relational", "num_tokens": 256, "dim": 512, "depth": 2, "dim_edges": 32}
END
cat > "$scratch/multi-stream.json" <<'END'
{"model": "multi-stream", "num_tokens": 256, "dim": 512, "depth": 4, "num_streams": 2}
END
cat > "$scratch/small.json" <<'END'
{"num_tokens": 128, "dim": 32, "depth": 1, "dim_edges": 8, "heads": 2, "dim_head": 16, "linear_heads": 2,
 "linear_dim_head": 8, "max_seq_len": 32, "num_residual_streams": 2, "causal": true}
END
cat > "$scratch/quartic.json" <<'END'
{"num_tokens": 256, "dim": 512, "depth": 2, "dim_edges": 32}
END

python=${PYTHON:-python3}

# Groups in order of importance, and the percentage of the time that each may take; what it leaves goes to the others.
groups='device validate recordings repeat models triangle products tune edges pytorch'
share_of() {
    case $1 in
    device) echo 2 ;;
    validate) echo 20 ;;
    recordings) echo 12 ;;
    repeat) echo 7 ;;
    models) echo 24 ;;
    triangle) echo 7 ;;
    products) echo 4 ;;
    tune) echo 6 ;;
    edges) echo 10 ;;
    pytorch) echo 8 ;;
    esac
}

# plan GROUP ITEM COMMAND..: a part to be run later. An item is a name of letters, digits and "-".
plan() {
    local group=$1 item=$2
    shift 2
    case ",$only," in ",," | *",$group,"*) ;; *) return ;; esac
    local line='' word quoted
    # Without a process for each word, of which there are thousands.
    for word in "$@"; do printf -v quoted '%q' "$word" && line="$line $quoted"; done
    printf '%s\t%s\t%s\n' "$group" "$item" "${line# }" >> "$parts/plan.tsv"
}
note() { printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >> "$parts/log.tsv"; } # GROUP ITEM STATUS CODE SECONDS

plan_all() {
    local op file n name
    plan device list "$quartic" devices --limits --json
    for op in $("$quartic" validate --list); do plan validate "$op" "$quartic" validate --op "$op" --device "$device" --json; done
    # A few recordings a process: a driver that crashes on one takes these few along.
    set --
    name=''
    for file in "$golden"/*.safetensors "$golden"/extra/*.safetensors ''; do
        if [ $# = 6 ] || { [ -z "$file" ] && [ $# -gt 0 ]; }; then
            plan recordings "$name-and-$(($# - 1))-more" "$quartic" verify "$@" --device "$device" --json
            set --
        fi
        [ $# -gt 0 ] || name=$(basename "$file" .safetensors)
        [ -e "$file" ] && set -- "$@" "$file"
    done
    set -- "$quartic" train "$source_folder/data/tales.txt" --device "$device" --config "$scratch/small.json" \
        --batch 2 --length 16 --constant-rate --fixed --json
    plan repeat first "$@" --out "$scratch/first" --steps 6
    plan repeat second "$@" --out "$scratch/second" --steps 6
    plan repeat half "$@" --out "$scratch/half" --steps 3
    plan repeat resumed "$quartic" train "$source_folder/data/tales.txt" --resume --fixed --out "$scratch/half" --steps 6 --json
    plan repeat compared compare_runs
    for name in quartic relational multi-stream; do
        for n in 64 128 256 512; do
            plan models "$name-$n" "$quartic" bench "$scratch/$name.json" --fixed --length $n --repeat 3 \
                --seconds $((1 + total_seconds / 24)) --device "$device" --json
        done
    done
    for n in 256 512 1024 2048; do
        plan triangle "triangle-$n" "$quartic" bench triangle --fixed --least $n --longest $n --repeat 3 \
            --most-seconds $((1 + total_seconds / 48)) --device "$device" --json
    done
    for n in 512 1024 2048 4096 8192; do
        plan products "product-$n" "$quartic" bench products --fixed --least $n --longest $n --repeat 3 \
            --most-seconds $((1 + total_seconds / 48)) --device "$device" --json
    done
    # The choices that the report measures concern nothing else on this machine.
    set -- env "XDG_CACHE_HOME=$scratch/cache" "$quartic"
    plan tune quartic "$@" tune "$scratch/quartic.json" --length 128 --repeat 3 --seconds $((1 + total_seconds / 40)) \
        --device "$device" --json
    plan tune tuned-model "$@" bench "$scratch/quartic.json" --length 128 --repeat 3 \
        --seconds $((1 + total_seconds / 48)) --device "$device" --json
    for n in 64 128 256 512 1024; do
        for name in axial taylor full routed triangle triangle-start-end triangle-multiply; do
            plan edges "$name-$n" "$quartic" bench edges --fixed --form $name --least $n --longest $n --repeat 2 \
                --most-seconds $((1 + total_seconds / 120)) --device "$device" --json
        done
    done
    set -- --quartic "$quartic" --device "$device"
    plan pytorch device "$python" "$source_folder/bench/common.py" "$@"
    for n in 256 512 1024 2048; do plan pytorch "triangle-$n" "$python" "$source_folder/bench/triangle.py" --n $n "$@"; done
    for n in 64 128 256 512; do plan pytorch "quartic-$n" "$python" "$source_folder/bench/quartic_model.py" --n $n "$@"; done
    plan pytorch products "$python" "$source_folder/bench/products.py" "$@"
}

# Whether two runs, and one that was resumed, wrote the same bytes.
compare_runs() {
    local twice=false resumed=false
    [ -s "$scratch/first/checkpoint.safetensors" ] || { echo "the first run wrote no checkpoint" >&2; return 1; }
    cmp "$scratch/first/checkpoint.safetensors" "$scratch/second/checkpoint.safetensors" >&2 && twice=true
    cmp "$scratch/first/checkpoint.safetensors" "$scratch/half/checkpoint.safetensors" >&2 && resumed=true
    printf '{"two_runs_equal": %s, "resumed_run_equal": %s, "steps": 6}\n' $twice $resumed
    [ $twice = true ] && [ $resumed = true ]
}

# Milliseconds of a clock, where bash has one of that resolution.
now_ms() {
    local now=${EPOCHREALTIME:-}
    if [ -n "$now" ]; then echo $((${now%.*} * 1000 + 10#${now#*.} / 1000)); else echo $((SECONDS * 1000)); fi
}

# run_part GROUP ITEM LINE LIMIT: runs one part for at most LIMIT seconds and notes how it ended.
run_part() {
    local group=$1 item=$2 line=$3 limit=$4 code=0 status began end file=$parts/$1.$2 slept=0
    began=$(now_ms)
    end=$((SECONDS + limit))
    # A program takes the place of its shell, so that a signal reaches it.
    case $line in compare_runs) ;; *) line="exec $line" ;; esac
    eval "$line" > "$file.json" 2> "$file.err" < /dev/null &
    running=$!
    while kill -0 "$running" 2> /dev/null; do
        if [ -n "$interrupted" ] || [ $SECONDS -ge $end ]; then
            kill -TERM "$running" 2> /dev/null
            for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$running" 2> /dev/null && sleep 0.2; done
            kill -KILL "$running" 2> /dev/null
            break
        fi
        slept=$((slept + 1))
        if [ $slept -lt 40 ]; then sleep 0.02; else sleep 0.2; fi
    done
    wait "$running" 2> /dev/null || code=$?
    running=''
    if [ -n "$interrupted" ]; then
        status=interrupted
    elif [ $SECONDS -ge $end ] && [ $code -ge 128 ]; then
        status='out of time'
    elif [ $code -ge 128 ]; then
        status=crashed
    elif [ $code = 77 ] || { [ "$group" = pytorch ] && [ $code = 127 ]; }; then # there is no PyTorch, or no python3
        status=skipped
    elif [ $code != 0 ]; then
        status=failed
    else
        status=done
    fi
    note "$group" "$item" "$status" $code $(($(now_ms) - began))
    last_status=$status
}

# Runs the parts of a group that were not run yet, until SECONDS is at the limit. A larger size is not tried where a
# smaller one of the same name (all before the last "-") ran out of time.
slow_parts=''
run_group() {
    local group=$1 limit=$2 count=0 planned item line left slow smaller began=$SECONDS
    local lines=() none=''
    while IFS=$'\t' read -r planned item line; do
        [ "$planned" = "$group" ] && ! grep -q "^$group	$item	" "$parts/log.tsv" && lines+=("$item"$'\t'"$line")
    done < "$parts/plan.tsv"
    for line in ${lines[@]+"${lines[@]}"}; do
        item=${line%%$'\t'*} line=${line#*$'\t'} smaller=''
        [ -z "$interrupted" ] || return
        left=$((limit - SECONDS))
        [ $left -ge 1 ] || break
        for slow in $slow_parts; do
            [ "${slow%-*}" = "$group/${item%-*}" ] && [ "${item##*-}" -gt "${slow##*-}" ] 2> /dev/null && smaller=yes
        done
        if [ -n "$none" ]; then
            note "$group" "$item" skipped 0 0
            continue
        fi
        if [ -n "$smaller" ]; then
            note "$group" "$item" 'not run: a smaller size ran out of time' 0 0
            continue
        fi
        run_part "$group" "$item" "$line" $left
        count=$((count + 1))
        if [ "$last_status" = skipped ] && [ "$item" = device ]; then none=yes; fi
        [ "$last_status" = 'out of time' ] && slow_parts="$slow_parts $group/$item"
    done
    [ $count = 0 ] ||
        echo "$group: $count of ${#lines[@]} parts in $((SECONDS - began)) s; $((SECONDS - begun)) of $total_seconds s used"
}

begun=$SECONDS
plan_all
for round in first second; do # the second round gives what the groups left over to those that need more, in order
    later=100
    for group in $groups; do
        case ",$only," in ",," | *",$group,"*) ;; *) continue ;; esac
        [ -z "$interrupted" ] || break
        later=$((later - $(share_of "$group"))) # of the groups that come after this one
        left=$later
        # Which device it is must be known, and some groups alone have all the time.
        if [ $round = second ] || [ -n "$only" ] || [ "$group" = device ]; then left=0; fi
        run_group "$group" $((begun + total_seconds - total_seconds * left / 100))
        [ $round = second ] || write_report running
    done
done
fact measured_seconds $((SECONDS - begun))
rm -rf "$scratch"
if [ -n "$interrupted" ]; then
    state='interrupted by a signal'
elif [ $((SECONDS - begun)) -ge $((total_seconds)) ]; then
    state="the time of $minutes minutes is used up"
else
    state=done
fi
write_report "$state"
trap - INT TERM HUP
echo "$out/report.md, report.json and plot.svg are written."
[ -z "$interrupted" ] || exit 130
