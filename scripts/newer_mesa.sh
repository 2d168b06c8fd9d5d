#!/usr/bin/env bash
# newer_mesa.sh [SUITE] [COMMAND]: the Vulkan tests on the Mesa of a newer Debian; SUITE is sid (default), trixie or any
# other. Makes a bare Debian of that suite in build/mesa/SUITE (debootstrap, once; about 3 GB), brings its packages up to
# date, builds the sources there, and runs on its Vulkan driver: `quartic validate`, every recording, the vulkan tests.
# COMMAND is run there instead of these three, in the folder of the sources, with the build in ../build, of which only
# $QUARTIC_MESA_TARGETS are built if there are such (the tool among them).
#
# Needs root: debootstrap, chroot and the folder's own /proc do. Nothing outside of the folder is changed, and no mount
# stays. Packages come from the mirror that apt uses on this machine (the first of suite bookworm, trixie, sid .. in its
# sources), or from $QUARTIC_DEBIAN_MIRROR; signatures are checked with its keyring, or $QUARTIC_DEBIAN_KEYRING.
# Not part of scripts/test.sh. slow.amd_compile is no vulkan test: Mesa 26 dropped the device that it compiles on.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${1:-sid}
shift || true
folder=$PWD/build/mesa/$suite

if [ "$(id -u)" -ne 0 ]; then
    echo "newer_mesa.sh needs root: it makes a Debian $suite in $folder and enters it with chroot" >&2
    exit 1
fi
command -v debootstrap >/dev/null || { echo "newer_mesa.sh needs debootstrap: apt-get install debootstrap" >&2; exit 1; }

# The first source of Debian's own archive: one whose suite is a release's name or unstable, with the part main.
sources() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) \([^ ]*\) \(.*\)$/\2 \3 \4/p'
    awk '/^URIs:/ {uri = $2} /^Suites:/ {suite = $2} /^Components:/ {print uri, suite, $2}' /etc/apt/sources.list.d/*.sources 2>/dev/null
}
mirror=${QUARTIC_DEBIAN_MIRROR:-$(sources | awk '$2 ~ /^(bookworm|trixie|forky|duke|sid|unstable|testing|stable)$/ && $3 == "main" {print $1; exit}')}
if [ -z "$mirror" ]; then
    echo "newer_mesa.sh finds no Debian mirror in /etc/apt; name one in QUARTIC_DEBIAN_MIRROR" >&2
    exit 1
fi
keyring=${QUARTIC_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

if [ ! -e "$folder/.complete" ]; then
    rm -rf --one-file-system "$folder"
    mkdir -p "$folder"
    debootstrap --variant=minbase --keyring="$keyring" "$suite" "$folder" "$mirror"
    # A mirror may be a snapshot, whose lists have expired; they are still signed.
    echo 'Acquire::Check-Valid-Until "false";' >"$folder/etc/apt/apt.conf.d/90snapshot"
    touch "$folder/.complete"
fi
[ -e /etc/resolv.conf ] && cp /etc/resolv.conf "$folder/etc/resolv.conf"

# The sources as they lie here. What has not changed keeps the time of the last copy, and what has changed is as new as
# this one, so that a second run builds what has changed and no more, whenever that was.
copy=$folder/quartic/source
rm -rf "$copy.new"
mkdir -p "$copy" "$copy.new"
tar -c --exclude='./build*' --exclude=./.git . | tar -x -m -C "$copy.new"
(cd "$copy.new" && find . -type f -print0) | while IFS= read -r -d '' file; do
    if cmp -s "$copy/$file" "$copy.new/$file"; then touch -r "$copy/$file" "$copy.new/$file"; fi
done
rm -rf "$copy"
mv "$copy.new" "$copy"

# Mounts of a namespace of its own, which goes with the command.
inside() {
    unshare --mount bash -c 'mount --bind /proc "$1/proc" && mount --bind /sys "$1/sys" && shift &&
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            chroot "$@"' bash "$folder" "$folder" bash -euo pipefail -c "$1"
}
inside 'apt-get update -q && apt-get upgrade -y -q && bash /quartic/source/scripts/install.sh'
inside "cd /quartic/source && cmake -S . -B ../build -G Ninja && cmake --build ../build --target ${QUARTIC_MESA_TARGETS:-all}"
inside 'cd /quartic/source && dpkg-query -W mesa-vulkan-drivers && ../build/quartic devices'
if [ $# -gt 0 ]; then
    inside "cd /quartic/source && $*"
    exit
fi
inside 'cd /quartic/source
    ../build/quartic validate --device vulkan
    ../build/quartic verify --device vulkan tests/golden/*.safetensors tests/golden/extra/*.safetensors
    ctest --test-dir ../build -L "^vulkan$" --output-on-failure'
