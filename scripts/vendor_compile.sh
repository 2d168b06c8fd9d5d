#!/usr/bin/env bash
# vendor_compile.sh [SHADER]: every pipeline through Mesa's compilers for AMD, Intel and NVIDIA, without a GPU. Writes
# one table for each device (registers, spills, shared memory, code size, waves and memory instructions of every
# pipeline; only those of shaders whose names begin with SHADER, if it is given) and a summary by shader to build/vendor_compile. docs/gpu-compile.md
# has the summary of the last run that was kept. The exit status is 1 if a pipeline spills or does not compile.
# QUARTIC_VENDOR_DEVICES="tgl turing" compiles for these devices only (the names are those at the end of this file), and
# leaves the tables of others as they are.
#
# The drivers for Intel and NVIDIA (ANV, NVK) run on Mesa's no-op drm shims, which stand in for a kernel driver. Debian
# does not ship these: they are built from Debian's source package of the very Mesa that is installed, and nothing else
# of it is built. AMD's driver (RADV) needs none. All of it lies in a bare Debian in build/mesa/$QUARTIC_VENDOR_SUITE
# (trixie; Mesa 26 makes no AMD device without a GPU), which scripts/newer_mesa.sh may share. The first run takes a
# quarter of an hour, later ones some minutes. Needs root, debootstrap and a mirror as newer_mesa.sh does. Not part of
# scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${QUARTIC_VENDOR_SUITE:-trixie}
folder=$PWD/build/mesa/$suite
tables=$PWD/build/vendor_compile

# The bare Debian, its packages, and the sources in it.
QUARTIC_MESA_TARGETS="quartic_tool vendor_compile" bash scripts/newer_mesa.sh "$suite" true

inside() {
    unshare --mount bash -c 'mount --bind /proc "$1/proc" && mount --bind /sys "$1/sys" && shift &&
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            MESA_SHADER_CACHE_DISABLE=true chroot "$@"' bash "$folder" "$folder" bash -euo pipefail -c "$1"
}

version=$(inside "dpkg-query -W -f='\${source:Version}' mesa-vulkan-drivers")
if [ "$(cat "$folder/mesa/version" 2>/dev/null)" != "$version" ]; then
    rm -rf --one-file-system "$folder/mesa"
    mkdir -p "$folder/mesa"
    # Source packages come from where packages come from.
    inside "sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/etc/apt/sources.list.d/sources.list
        apt-get update -q
        apt-get install -y -q --no-install-recommends dpkg-dev meson ninja-build pkg-config bison flex gcc g++ \
            python3-mako python3-yaml python3-packaging libdrm-dev zlib1g-dev libexpat1-dev libzstd-dev
        cd /mesa && apt-get source -q --download-only mesa=$version
        dpkg-source --no-check -x mesa_*.dsc source"
    # The shim for NVIDIA knows chips up to Ampere (0x17x). For Ada (0x19x) it may answer the same; only the compiler
    # differs.
    sed -i 's/^\( *\)case 0x170:/\1case 0x190:\n&/' "$folder/mesa/source/src/nouveau/drm-shim/nouveau_noop.c"
    inside "cd /mesa/source && meson setup ../shims -Dbuildtype=plain -Dtools=drm-shim,intel -Dgallium-drivers=nouveau \
            -Dvulkan-drivers= -Dllvm=disabled -Dglx=disabled -Degl=disabled -Dgbm=disabled -Dplatforms= \
            -Dgles1=disabled -Dgles2=disabled -Dopengl=false -Dvideo-codecs= -Dvalgrind=disabled -Dlibunwind=disabled \
            -Dlmsensors=disabled -Dshared-glapi=disabled >../shims.log
        ninja -C ../shims src/intel/tools/libintel_noop_drm_shim.so src/nouveau/drm-shim/libnouveau_noop_drm_shim.so"
    echo "$version" >"$folder/mesa/version"
fi

wanted=${QUARTIC_VENDOR_DEVICES:-}
[ -n "$wanted" ] || rm -rf "$tables"
mkdir -p "$tables" "$folder/quartic/tables"
status=0 known=''
# table NAME DRIVER VARIABLES...: compiles for one device.
table() {
    local name=$1 driver=$2
    shift 2
    known="$known $name"
    case " ${wanted:-$name} " in *" $name "*) ;; *) return ;; esac
    echo "$name"
    rm -f "$folder/quartic/tables/$name".*
    inside "env VK_DRIVER_FILES=/usr/share/vulkan/icd.d/$driver.json $* /quartic/build/tests/vendor_compile $name \
        /quartic/tables/$name.txt ${shader:-} 2>/quartic/tables/$name.log" || status=1
    grep -v '^Unknown ' "$folder/quartic/tables/$name.log" || true
    cp "$folder/quartic/tables/$name.txt" "$tables/" || status=1
}
shader=${1:-}
for family in polaris10 vega10 navi10 navi21 navi31 gfx1150 gfx1201; do
    table $family radeon_icd RADV_FORCE_FAMILY=$family
done
intel="LD_PRELOAD=/mesa/shims/src/intel/tools/libintel_noop_drm_shim.so"
for platform in tgl dg2 lnl bmg; do
    table $platform intel_icd "$intel" INTEL_STUB_GPU_PLATFORM=$platform
done
table ptl intel_icd "$intel" INTEL_STUB_GPU_PLATFORM=ptl "INTEL_FORCE_PROBE='*'"
nvidia="LD_PRELOAD=/mesa/shims/src/nouveau/drm-shim/libnouveau_noop_drm_shim.so"
table turing nouveau_icd "$nvidia" NOUVEAU_CHIPSET=0x164
table ampere nouveau_icd "$nvidia" NOUVEAU_CHIPSET=0x172
table ada nouveau_icd "$nvidia" NOUVEAU_CHIPSET=0x192
for name in $wanted; do
    case " $known " in *" $name "*) ;; *) echo "vendor_compile.sh: there is no device $name, but$known" >&2 && exit 2 ;; esac
done
python3 tests/compile/summary.py "$tables"/*.txt >"$tables/summary.md"
echo "$tables/summary.md"
exit $status
